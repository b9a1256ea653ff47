"""RFC 4918 on WsgiDAV: from a WSGI request to what the namespace does, and back to its answer::

    application.py  the WSGI application: WsgiDAV's, with our provider and our request server
    provider.py     one mount, as WsgiDAV wants it: complete, for its own request server as well
    resources.py    its files and collections
    resource_properties.py, tree_methods.py   what the two have in common
    resources/content.py their bytes as file-like objects
    resources/wsgidav_environment.py what WsgiDAV's request server leaves in the environment; its locks
    server.py       from a request to its verb; whatever was raised, to an answer
    verbs/          one module a verb, or two that are alike
    mount_ancestors.py what is above the mount

    request.py      a request, read strictly
    headers/urls.py URLs ↔ resource paths
    headers/if_header.py the If header: its grammar
    headers/ranges.py the Range header
    xml_elements.py XML as clients send it
    propfind/query.py what a PROPFIND asks for
    headers/upload_headers.py what clients tell of a file beside its bytes

    context.py      what a verb works with: the request, the mount, the locks
    conditional_requests.py whether conditional headers hold
    locking/locks.py write locks, and where they are kept
    locking/enforcement.py whether they allow a write
    locking/limits.py how many of them one holder may have
    idempotency.py  clients that ask again for what takes long
    once.py         an attribute that is computed when it is first asked for

    response.py     what a verb answers
    errors.py       refusals, and the one place where a StoreError becomes one
    methods/failures.py answers that name the members on which a method failed
    multistatus.py  207 as text
    propfind/live_properties.py live properties
    locking/xml.py  locks as XML
    propfind/renderer.py one response of a PROPFIND
    propfind/response_cache.py those of a page of members, rendered once
    propfind/member_list.py those of a collection's members, a page at a time
    headers/content_type.py content types of names
    headers/validators.py moments as text
    methods/client_quirks.py where a client needs an exception

Must not know S3, caches or sockets.

Invariants:
- A request, its context and what they remember live for one request, in one thread.
- A verb raises RefusalError or StoreError, and nothing else on purpose. What a client is told of a
  StoreError is chosen in `errors` alone.
- What can be refused is refused before anything is written, and before the first byte of an answer;
  an answer that fails later breaks its connection.
- What is told of a resource is what the namespace shows; no state of it is kept here but locks, and
  what was rendered of it.
"""
