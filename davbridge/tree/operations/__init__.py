"""DELETE, COPY and MOVE::

operations.py        an operation from its locks to its outcome: the loop of attempts
retries.py           why an attempt is made again, as a tree of exceptions, and how often
preconditions.py     which versions a client means, and whether the target may be replaced
attempts.py          one attempt: refused, or carried out
planner.py           from two paths to a plan
plan.py              which keys are copied and deleted
steps.py             what a new operation and a resumed one have in common
copies.py            the copies, verified
removals.py          deletes, in an order that loses nothing
batches.py           deletes of many keys
checked_deletes.py   deletes of what a look has just shown
clashes.py           files that replace collections, and the reverse
late_properties.py   properties that came while their collection moved
undo.py              deletes the copies of a MOVE that has failed
parallel_requests.py requests side by side
progress.py          the operations that run, and how far they are
"""
