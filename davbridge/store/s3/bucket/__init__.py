"""A bucket, and what is known of it::

bucket.py         Bucket: its name, the transport to it, and all of the following
capabilities.py   which of the features that davbridge uses the store has
features.py       what objects in the bucket can have in addition to their bytes
new_objects.py    storage class, encryption and ACL of what is written
plain_objects.py  objects of which that is known without a look
"""
