"""Flat object stores: the protocol, and what implements it::

base.py     the ObjectStore protocol
limits.py   what AWS allows of a key and of a size
derived.py  what upper layers derive from a page of a listing, cached with it

s3/         a bucket of any S3 store
memory/     the reference, in memory
embedded/   a SeaweedFS of davbridge's own, which is then used by way of s3/

buffers/    the memory for uploads, and which upload gets how much of it

Nothing here knows paths, HTTP or WebDAV.
"""
