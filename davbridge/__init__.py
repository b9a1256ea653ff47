"""davbridge: your S3 buckets as a network drive.

The house; data comes in at the front door and walks one way, imports go downwards only::

    cli.py           argv → config → app; exit codes; the only module that prints
    arguments.py     the command line's grammar
    app.py           composition root: the only module that names concrete layers
    http/            the wire: cheroot server, TLS, request hygiene, graceful stop
    access/          who may: users and their logins
    dav/             RFC 4918 on WsgiDAV: provider, verbs, locks; StoreError → status
    tree/            a namespace of collections and members over flat keys
    cache/           CachedStore: an ObjectStore that wraps an ObjectStore
    store/           the ObjectStore protocol; S3, memory (the reference), embedded SeaweedFS
    logs.py          log records → lines on stderr
    config/          frozen settings from TOML, environment and flags
    paths.py         resource path ↔ key; pure functions
    deadline.py      until when the requests of a piece of work may take effect
    waiting.py       how a thread says that it only waits
    clock.py         seconds that also pass while the machine sleeps
    addresses.py     which client addresses count as one client
    xmltext.py       which characters XML can hold
    errors.py        the StoreError tree; knows neither HTTP nor botocore
"""

__version__ = "0.1.0"
