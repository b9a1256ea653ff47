"""What is at a path of the provider: the files and collections that request servers work on::

resources.py            Collection and File: WsgiDAV's DAVCollection and DAVNonCollection
properties.py           live and dead properties
operations.py           COPY, MOVE and DELETE
content.py              a file's bytes as file-like objects
wsgidav_environment.py  the headers and locks of WsgiDAV's own request server
"""
