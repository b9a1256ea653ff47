"""What is written to the bucket of an operation before it begins, and what becomes of it::

entry.py           a journal's content
journals.py        the objects of journals, and their leases
leases.py          which bridge is at work on which journal
validation.py      what a journal may be about
related_moves.py   operations that have to end before another begins
recovery.py        looks for journals that were left
resumption.py      finishes them
remaining_work.py  what is left to do of a plan
"""
