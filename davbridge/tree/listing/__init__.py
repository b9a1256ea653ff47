"""What is in the bucket: look-ups and listings::

    view.py            what is at a path, and in a collection
    members.py         the members of a collection, a page at a time
    classification.py  which rows of a page are members, and of which kind
    markers.py         directory markers, davbridge's and other tools'

Invariant: a look-up and a listing decide alike what is at a name.
"""
