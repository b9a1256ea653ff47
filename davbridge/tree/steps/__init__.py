"""The steps that carry out the plan of an operation, new or resumed::

    operation_steps.py   OperationSteps: each step of a COPY, MOVE or DELETE
    copies.py            the copies, verified
    removals.py          deletes for a DELETE or an overwrite, in an order that loses nothing
    checked_deletes.py   deletes of versions that a listing has just shown: for a MOVE
    batches.py           deletes of many keys
    clashes.py           files that replace collections, and the reverse
    late_properties.py   properties that were set in a collection while it was moved
    undo.py              deletes the copies of a COPY or MOVE that has failed
    parallel_requests.py requests in parallel, in a bounded pool of threads
    progress.py          the running operations: their counts, and their leases

Imports `journal` and `plan`; `operations` decides which step comes when.
"""
