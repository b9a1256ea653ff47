"""The requests about objects in a bucket, a module for each kind::

listing.py             listings, and look-ups that are listings
listed_etags.py        ETags for listings that have none, or other ones than HEAD
reader.py              GetObject, resumed if a connection breaks
writer.py              a body, cut into parts
multipart.py           one multipart upload with its parts in flight
multipart_requests.py  the requests of a multipart upload
conditional_writes.py  PutObject and CompleteMultipartUpload: whether they have happened
copied_attributes.py   headers that make a copy keep what its source has
copy.py                CopyObject and multipart copies
deletes.py             DeleteObject and DeleteObjects
delete_rights.py       where the store is known to refuse deletes
full_store.py          whether a store that fails is full
sweep.py               deletes the uploads and canaries that a crashed bridge has left
"""
