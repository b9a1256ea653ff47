"""Which rows of the bucket are members, and of which kind::

view.py            what is at a path, and in a collection
members.py         the members of a collection, a page at a time
classification.py  which rows of a page are members
markers.py         directory markers, davbridge's and other tools'
"""
