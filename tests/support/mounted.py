"""davbridge's provider in somebody else's program: stock WsgiDAV, on cheroot's own WSGI server."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cheroot.wsgi import Server
from wsgidav.dav_provider import DAVProvider
from wsgidav.wsgidav_app import WsgiDAVApp

from davbridge.library import Options
from tests.support.buckets import Bucket


def options(bucket: Bucket, **others: Any) -> Options:
    """What `open_provider` and `open_store` need to know to reach the bucket."""
    endpoint = bucket.endpoint
    reach: Options = {
        "endpoint_url": endpoint.url,
        "region": endpoint.region,
        "access_key": endpoint.access_key,
        "secret_key": endpoint.secret_key,
        **others,  # type: ignore[typeddict-item]
    }
    return reach


@contextmanager
def mounted(providers: Mapping[str, DAVProvider], **settings: Any) -> Iterator[str]:
    """Serves the providers at their shares; the URL of the root, without a slash. ``settings``:
    WsgiDAV's."""
    app = WsgiDAVApp(
        {
            "provider_mapping": dict(providers),
            "simple_dc": {"user_mapping": {"*": True}},
            "property_manager": None,
            "lock_storage": True,
            "verbose": 0,
            "logging": {"enable": False},
            **settings,
        }
    )
    server = Server(("127.0.0.1", 0), app, numthreads=8)
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.bind_addr[1]}"
    finally:
        server.stop()
        thread.join()
