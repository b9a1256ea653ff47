"""HTTP/1.1 over TCP and TLS, for one WSGI application. Knows nothing of WebDAV or S3.

cheroot supplies the accept loop and the selector for idle connections. All parsing and writing is
done here, because a bridge must never act on a request that another parser could read differently,
or on a body that did not arrive whole::

    server.py              HttpServer: binds, serves, stops
    connection_manager.py  accepts connections; holds the idle ones
    workers/               which thread serves which connection; how many requests may wait
    closing.py             closes connections after the client has read the answer
    tls.py                 the certificate; the handshake, in a worker
    file_descriptors.py    how many connections there can be
    connection.py          one connection: request after request
    protocol/              HTTP/1.1 on one connection: heads, bodies, responses, and their framing
    middleware/            layers around the application: readiness, access log
    errors.py              exceptions of this package
"""
