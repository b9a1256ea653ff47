"""HTTP/1.1 over TCP and TLS, for one WSGI application. Knows nothing of WebDAV or S3.

cheroot supplies the accept loop and the selector for idle connections. All parsing and writing is
done here, because a bridge must never act on a request that another parser could read differently,
or on a body that did not arrive whole. Imports go down this list. `workers`, `protocol` and
`middleware` don't import one another::

    server.py     HttpServer: binds, serves, stops
    connections/  from accept to close: the accept loop, idle connections, TLS, lingering close
    workers/      which thread serves which connection; how many requests may wait
    protocol/     HTTP/1.1 on one connection: heads, bodies, responses, one run of the application
    middleware/   layers around the application, which `app` puts there: readiness, access log
    errors.py     exceptions of this package

"Flows" in davbridge/README.md follows a request through them.
"""
