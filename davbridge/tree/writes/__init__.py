"""New files and collections::

creation.py  what a new file or collection needs
parents.py   what a write has to do for the collection around it
commits.py   the commit: conditions, locks, the version that was seen
writer.py    a body that comes in, within its limits
quota.py     the quota, and which sizes are refused
usage.py     how many bytes the drive holds
"""
