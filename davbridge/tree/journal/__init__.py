"""The journals: each has the plan of an operation, written to the bucket before the first write::

    entry.py             a journal's content and format
    journals.py          the objects of journals, and the leases on them
    leases.py            which bridge works on which journal
    validation.py        which keys a journal may name
    related_moves.py     operations that have to end before another one begins
    recovery.py          looks for journals of dead bridges, every minute

Doesn't carry anything out: `operations.resumption` finishes what a journal says.
"""
