"""New files and collections::

    creation.py        checks before a write; creates collections and empty files
    parents.py         what a write has to do for the collection around it
    bounded_writer.py  an upload, within the drive's limits
    commits.py         the commit of an upload: conditions, locks, which version it replaces
    quota.py           the quota, the limit for one file, reservations
    usage.py           how many bytes the drive holds

Invariants: an upload is visible only once it is complete. A new resource has a parent that is a
collection. No write passes the quota, or the limit for one file.
"""
