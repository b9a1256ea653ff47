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
    request_reader.py      receives the next request head, without a thread that waits
    request_head.py        request line and header fields: pure, strict parsing
    body.py                wsgi.input
    wsgi.py                the WSGI environment; one run of the application
    exchange.py            one request and its response; what becomes of the connection
    response.py            the response: status, fields, framing
    client_timeout.py      how long a thread waits for a client
    streams.py             buffered reading and writing of one socket
    middleware/            layers around the application: readiness, access log
    errors.py              exceptions of this package
"""
