"""Dead properties, and what clients told of a file, in the bucket::

property_store.py   those of a resource: read, updated, moved along
sidecars.py         the properties files, one a collection
sidecar_format.py   the content of one
client_metadata.py  times and checksums, bound to an ETag
"""
