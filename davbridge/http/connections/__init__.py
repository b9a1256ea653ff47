"""Connections, from accept to close::

    manager.py           ConnectionManager: accepts connections; holds the idle ones
    connection.py        one connection: handshake, then request after request
    tls.py               the certificate; the handshake, in a worker
    lingering_close.py   closes connections after the client has read the answer
    file_descriptors.py  how many connections there can be

Only `manager` imports cheroot: its accept loop, and its selector for idle connections.
"""
