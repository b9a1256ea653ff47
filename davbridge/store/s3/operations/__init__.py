"""What is done in a bucket, a module for each operation::

bucket.py              a bucket, the way to it, and what can be done there
capabilities.py        in what stores differ
listing.py             listings, and look-ups that are listings
reader.py              GetObject, resumed if a connection breaks
writer.py              a body, cut into parts
multipart.py           one multipart upload with its parts in flight
multipart_requests.py  the requests of a multipart upload
conditional_writes.py  PutObject and CompleteMultipartUpload: whether they have happened
copy.py                CopyObject and multipart copies
deletes.py             DeleteObject and DeleteObjects
full_store.py          whether a store that fails is full
sweep.py               what a bridge that crashed has left in the bucket
"""
