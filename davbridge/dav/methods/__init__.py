"""The methods: each is a function from a Context to a Response, and raises RefusalError or
StoreError::

    options.py, get.py, propfind.py, put.py, mkcol.py, delete.py, proppatch.py
    copy_move.py      COPY and MOVE
    lock.py           LOCK and UNLOCK
    failures.py       answers that name the members on which a method failed
    client_quirks.py  exceptions for single clients

A method's module doesn't use another method's.
"""
