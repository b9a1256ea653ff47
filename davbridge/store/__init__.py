"""Flat object stores: the protocol, and what implements it::

base.py            the ObjectStore protocol
limits.py          what AWS allows of a key and of a size
notes.py           what upper layers keep beside a page of a listing

s3/                a bucket of any S3 store
memory.py          the reference, in memory
embedded/          a SeaweedFS of our own, which is then used by way of s3/

content.py         the bytes of one body on their way to the store
budget.py, pool.py, allocation.py
                   the memory for all of them, and who gets how much of it
"""
