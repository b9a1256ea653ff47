"""What is in the bucket: look-ups and listings::

    view.py            what is at a path, and in a collection
    members.py         the members of a collection, a page at a time
    classification.py  which rows of a page are members, and of which kind
    tree_walk.py       everything inside a collection, from one flat listing
    markers.py         directory markers, davbridge's and other tools'

Invariant: a look-up and a listing decide alike what is at a name.
"""
