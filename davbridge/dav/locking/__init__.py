"""Write locks (RFC 4918 §6, §7)::

locks.py        what a lock is, its scope, and the interface of a lock store
memory.py       a lock store in this process's memory
limits.py       how many locks one holder may have
enforcement.py  whether the locks allow a write
xml.py          DAV:lockdiscovery and DAV:supportedlock
"""
