"""DELETE, COPY and MOVE of resources::

    operations.py        locks the paths, and makes attempts until one has an outcome
    retries.py           why an attempt is made again, as a tree of exceptions, and how often
    preconditions.py     on which versions the client made its operation depend
    attempts.py          one attempt: it is refused, or it carries the operation out
    planner.py           looks up two paths, and makes a plan
    resumption.py        finishes or undoes what a bridge that died had begun
    remaining_work.py    what of a journal's plan is still to be done

Stands above `steps`, which carries a plan out, and `journal`, which writes it to the bucket.
`resumption` is here, and not in `journal`, because it takes the same steps as an attempt.
"""
