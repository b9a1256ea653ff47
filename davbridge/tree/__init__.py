"""A namespace of collections and members over the flat keys of an ObjectStore::

    namespace.py       what can be done with resources: the interface of this package
    drive.py           the namespace of a drive, as its settings have it
    composition.py     the parts of a namespace, and which needs which
    resource.py        what is at a path, and how an operation ended

    operations/        DELETE, COPY, MOVE: preconditions, attempts, retries, takeover
    steps/             how a plan is carried out: copies, checks, deletes, in parallel
    journal/           the plan of an operation in the bucket, leases, conflicts, the scanner
    plan.py            which keys an operation copies and deletes
    writes/            new files and collections, parents, quota
    properties/        dead properties and client metadata; the properties files
    listing/           look-ups, and which rows of a listing are members
    junk/              the files that desktops write beside people's own

    path_locks.py      which operations and writes exclude one another in this process
    own_versions.py    versions that this bridge has just uploaded: a MOVE of one need not wait
    reserved_names.py  the names of davbridge's own objects
    reads.py           reads that bypass the cache; whole bodies

Invariants: only this package turns paths into keys. A collection's prefix ends in ``/``. A MOVE
deletes nothing of its source until every copy is verified. No name of davbridge's own is shown.

Each sub-package has a map of its own. `tree` knows no WebDAV: conditions as headers, lock tokens
and status codes are `dav`'s. It doesn't know how requests are sent to the store, nor what is
cached.
"""
