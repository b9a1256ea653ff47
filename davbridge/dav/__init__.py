"""RFC 4918 on WsgiDAV: from a WSGI request to the calls of the namespace, and back to the answer::

    application.py  the WSGI application: WsgiDAV's, with our provider and our request server
    provider.py     one mount as a WsgiDAV DAVProvider
    resources/      its files and collections
    server.py       dispatch: from a request to its method; from what was raised, to an answer
    methods/        one module a method, or two that are alike
    mount_ancestors.py  PROPFIND and OPTIONS above the mount path

    request.py      a request, its headers parsed strictly
    headers/        the parsing of headers and URLs
    xml_elements.py the XML of request bodies and of dead properties
    xml_encodings.py  the encodings of request bodies
    context.py      what a method works with: the request, the mount, the locks
    conditional_requests.py  whether conditional headers hold
    locking/        write locks, and what they forbid
    idempotency.py  requests that clients send again
    propfind/       what PROPFIND asks for, and its rendering

    response.py     a method's answer
    multistatus.py  207 as text
    errors.py       error answers, and the one place where a StoreError becomes one

Nothing here knows S3, caches or sockets.

Invariants:
- A request and its context live for one request, in one thread.
- A method raises RefusalError or StoreError, and nothing else on purpose. `errors` alone chooses
  what the response says about a StoreError.
- What can be refused is refused before anything is written, and before the first byte of an answer.
  An answer that fails later breaks its connection.
- Answers describe what the namespace shows. The only state here is locks, rendered text, and the
  answers to repeated requests.
"""
