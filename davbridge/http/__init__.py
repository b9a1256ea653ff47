"""The wire: HTTP/1.1 over TCP and TLS, for one WSGI application.

cheroot supplies the accept loop and the selector that watches idle connections. Everything that is
spoken on a connection is read and written here, because what a bridge must never do is believe a
request that two readers could understand in two ways, or a body that did not arrive whole::

    server.py       HttpServer: binds, serves, stops
    connection_manager.py the accept loop, and the connections that wait
    workers.py      the threads
    thread_states.py which connections are worked on, and which wait
    admission.py    how many requests may wait, and for what
    closing.py      closing without losing the answer
    tls.py          the certificate, and the handshake in a worker
    file_descriptors.py how many connections there can be
    connection.py   one connection: request after request
    request_reader.py what comes before a request is whole, waited for by no thread
    request_head.py request line and header fields: pure, strict parsing
    body.py         wsgi.input
    wsgi.py         environ, and one run of the application
    exchange.py     one request and its response, and what is left of the connection
    response.py     what start_response and the blocks become on the wire
    client_timeout.py how long a thread waits for a client
    streams.py      buffered reading from, and writing to, one socket
    access_log.py   one line per request
    readiness.py    whether the bridge is of use, answered without the drive
    errors.py       what the wire raises
"""
