"""Fixtures for all rooms: S3 stores to run against, and buckets in them."""

import os
import uuid
from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from davbridge.store.embedded import EmbeddedStore
from tests.support.endpoints import Endpoint


@pytest.fixture(scope="session", autouse=True)
def no_aws_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps the user's own AWS settings out of the tests, and the tests out of the user's AWS."""
    nothing = tmp_path_factory.mktemp("aws") / "nothing"
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AWS_", "DAVBRIDGE_"))]:
            patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", str(nothing))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nothing))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """The embedded store, as davbridge itself runs it."""
    with EmbeddedStore.start(tmp_path_factory.mktemp("seaweedfs")) as store:
        yield Endpoint(store.endpoint_url, store.access_key, store.secret_key, store.region)


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Endpoint]:
    """moto over HTTP: of the stores at hand the nearest to AWS."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield Endpoint(f"http://{host}:{port}", "testing", "testing", "us-east-1")
    finally:
        server.stop()


@pytest.fixture
def bucket_name() -> str:
    """A name that no other test has; the bucket isn't made."""
    return f"test-{uuid.uuid4().hex}"
