"""The journals: each has the plan of an operation, written to the bucket before the first write::

    entry.py             a journal's content and format
    journals.py          begins journals, and takes over those of dead bridges
    objects.py           the objects in the bucket: `.plan`, `.lease` and `.left`
    lease.py             the lease on a journal that this bridge works on
    lease_monitor.py     which journals other bridges work on, and which of those are dead
    validation.py        which keys a journal may name
    related_moves.py     operations that have to end before another one begins
    scanner.py           finds the journals of dead bridges, every minute

Three modules make a bridge finish what a dead one has begun: `scanner` finds the journal,
`operations.takeover` decides whether to take it over, and `operations.plan_completion` carries out
what is left of its plan. This package changes no file and no collection.
"""
