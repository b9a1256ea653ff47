"""DELETE, COPY and MOVE of resources::

    operations.py        locks the paths, and makes attempts until one has an outcome
    retries.py           why an attempt is made again, as a tree of exceptions, and how often
    preconditions.py     the versions on which the client's operation depends
    attempts.py          one attempt: it is refused, or it carries the operation out
    journaling.py        begins the journal of an attempt, and looks for conflicts
    planner.py           looks up the source and the target, and makes a plan
    archived.py          which of a plan's objects are archived, and can't be copied
    takeover.py          waits for an operation of another bridge, or takes it over
    remaining_work.py    compares a journal's plan with the bucket: what is still to be done (pure)
    plan_completion.py   carries that out

Stands above `steps`, which carries a plan out, and `journal`, which writes it to the bucket.

Three modules make a bridge finish what a dead one has begun: `journal.scanner` finds the journal,
`takeover` decides whether to take it over, and `plan_completion` carries out what is left of its
plan. The last two are here, and not in `journal`, because they take the same steps as an attempt.
"""
