"""HTTP/1.1 on one connection: requests in, one run of the application each, responses out::

    exchange.py        one request and its response; what becomes of the connection
    wsgi.py            the WSGI environment; one run of the application
    request_reader.py  receives the next request head, without a thread that waits
    request_head.py    request line and header fields: pure, strict parsing
    request_body.py    wsgi.input
    response.py        the response: status, fields, framing
    streams.py         buffered reading and writing of one socket
    client_timeout.py  how long a thread waits for a client

Nothing here knows which thread runs it, nor how connections are accepted and closed.
"""
