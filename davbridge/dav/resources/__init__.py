"""What is at a path of the provider: the files and collections that both request servers work on::

    collection.py        Collection, a DAVCollection
    file.py              File, a DAVNonCollection
    base.py              what both have in common
    copy_move_delete.py  COPY, MOVE and DELETE
    properties.py        live and dead properties
    file_content.py      a file's bytes: downloads and uploads
    wsgidav_environment.py, wsgidav_locks.py
                         headers and locks of a request that WsgiDAV's own request server handles

Each class has two parts. The methods of the first are for any request server, and raise
StoreErrors. Those of the second are what WsgiDAV calls, and raise nothing but DAVErrors.

A resource object lives for one request, in one thread.
"""
