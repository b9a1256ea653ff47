"""Dead properties and client metadata, in the bucket::

    property_store.py   the properties of a resource: read, changed, copied, moved
    sidecars.py         one file a collection: cached, updated by several threads and bridges
    sidecar_format.py   the name and content of such a file
    client_metadata.py  the time and checksums of an upload, bound to its ETag

Invariants: properties go where their resource goes. A new resource has none of those of an earlier
one with its name.
"""
