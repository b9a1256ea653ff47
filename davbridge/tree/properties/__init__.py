"""Dead properties and client metadata, in the bucket::

    property_store.py   the properties of a resource: read, changed, copied, moved
    sidecars.py         those of a collection's members: read, updated by threads and bridges
    sidecar_view.py     what a head and its segments hold together
    sidecar_writer.py   a new head, and new segments where it would become too large
    merging.py          when entries become segments, and which segments are merged
    sidecar_copies.py   copies of both, for the COPY and MOVE of a folder
    sidecar_files.py    both as objects: read, cached, written
    sidecar_format.py   their names and content
    entries.py          a member's entry, and compact tables of entries
    client_metadata.py  the time and checksums of an upload, bound to its ETag

An update writes a small head, by compare-and-swap, and not the properties of the whole collection.
Which update came first is decided by the head alone.

Invariants: properties go where their resource goes. A new resource has none of those of an earlier
one with its name.
"""
