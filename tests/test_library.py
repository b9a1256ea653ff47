"""davbridge in a program of one's own: the public names, and what they open."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
from cheroot.wsgi import Server

import davbridge
from davbridge import filestore
from davbridge.config import ConfigError
from davbridge.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    IsACollectionError,
    NotFoundError,
    OutOfSpaceError,
    ParentMissingError,
    TooLargeError,
)
from davbridge.store.base import NO_VERSIONS, Attributes, DeleteFailure, ObjectRow
from davbridge.store.memory import MemoryStore
from davbridge.tree.namespace import Namespace
from tests.support.bridge import Client
from tests.support.buckets import MARKER_TYPE, Bucket, fresh_bucket
from tests.support.endpoints import Endpoint
from tests.support.mounted import mounted, options
from tests.support.s3proxy import s3_proxy

README = Path(__file__).parents[1] / "README.md"

[SNIPPET] = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
"""How to mount it in a program of one's own."""


@pytest.fixture(scope="module")
def bucket(seaweedfs: Endpoint) -> Iterator[Bucket]:
    with fresh_bucket(seaweedfs) as bucket:
        yield bucket


@pytest.fixture
def store(bucket: Bucket, bucket_name: str) -> Iterator[davbridge.FileStore]:
    """On a prefix of the test's own."""
    with davbridge.open_store(f"{bucket.name}/{bucket_name}", **options(bucket)) as store:
        yield store


def test_every_public_name_is_there_and_no_other() -> None:
    namespace: dict[str, object] = {}
    exec("from davbridge import *", namespace)
    assert sorted(set(namespace) - {"__builtins__"}) == sorted(davbridge.__all__)
    assert set(davbridge.__all__) <= set(dir(davbridge))
    assert davbridge.ConfigError is ConfigError
    with pytest.raises(AttributeError, match="no attribute 'open_nothing'"):
        davbridge.open_nothing  # noqa: B018


def test_the_package_alone_imports_neither_wsgidav_nor_boto3() -> None:
    program = "import sys, davbridge; print(sorted(m for m in sys.modules if 'wsgidav' in m or 'bo"
    program += "to' in m))"
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert told.stdout == "[]\n"


def test_a_provider_makes_its_bucket_as_serve_does(seaweedfs: Endpoint, bucket_name: str) -> None:
    with fresh_bucket(seaweedfs) as other:
        new = Bucket(seaweedfs, other.client, bucket_name)
        with (
            davbridge.open_provider(bucket_name, **options(new)) as provider,
            mounted({"/": provider}) as url,
        ):
            client = Client(urlsplit(url).port or 0, {})
            assert client("PUT", "/a", b"text").status == 201
            client.close()
        assert new.bodies() == {"a": b"text"}
        new.remove()


def test_a_provider_stays_below_its_prefix(bucket: Bucket) -> None:
    with davbridge.open_provider(f"s3://{bucket.name}/in/side", **options(bucket)) as provider:
        provider.namespace.make_collection(("d",))
    assert bucket.below("in/side/").listed() == ["d/"]


def test_options_are_the_settings_that_serve_has(bucket: Bucket) -> None:
    given = options(bucket, read_only=True, quota=100, max_file_size=10, publish_quota=False)
    with davbridge.open_provider(bucket.name, **given) as provider:
        assert provider.is_readonly()
        assert (provider.namespace.quota, provider.namespace.max_file_size) == (100, 10)
        assert provider.property_context().used_bytes is None


def test_a_store_can_be_opened_that_keeps_junk_out(bucket: Bucket, bucket_name: str) -> None:
    given = options(bucket, junk="drop", junk_names=("*.tmp",))
    with davbridge.open_store(f"{bucket.name}/{bucket_name}", **given) as store:
        store.store_fileobject(BytesIO(b"x"), "/a.tmp")
        store.store_fileobject(BytesIO(b"x"), "/._a")
        assert store.get_file("/a.tmp") == b"x"
        assert store.get_directory_listing("/") == ["/._a"]
    assert bucket.below(f"{bucket_name}/").listed() == ["._a"]


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        ("no_bucket!", {}),
        ("bucket", {"cache_ttl": -1}),
        ("bucket", {"quota": 0}),
        ("bucket", {"junk": "delete"}),
        ("bucket", {"junk_names": ("a/b",)}),
        ("bucket", {"access_key": "alone"}),
        ("bucket", {"endpoint_url": "nowhere"}),
    ],
)
def test_an_option_that_makes_no_sense_is_reported_in_a_line(
    place: str, wrong: davbridge.library.Options
) -> None:
    with pytest.raises(davbridge.ConfigError) as raised, davbridge.open_provider(place, **wrong):
        raise AssertionError("it has been opened")
    assert len(str(raised.value).splitlines()) == 1


def test_a_store_that_can_not_be_reached_is_reported_in_a_line(bucket: Bucket) -> None:
    given = options(bucket, secret_key="wrong")
    with (
        pytest.raises(davbridge.SetupError) as raised,
        davbridge.open_provider(bucket.name, **given),
    ):
        raise AssertionError("it has been opened")
    assert len(str(raised.value).splitlines()) == 1


def test_a_listing_is_kept_for_cache_ttl_seconds(bucket: Bucket) -> None:
    requests = {}
    for seconds in (0.0, 60.0):
        with s3_proxy(bucket.endpoint.url) as proxy:
            given = options(bucket, endpoint_url=proxy.url, cache_ttl=seconds)
            with davbridge.open_store(f"{bucket.name}/nothing", **given) as store:
                store.get_directory_listing("/")
                proxy.reset()
                store.get_directory_listing("/")
                # Those of the background, which look for journals, aren't the listing's.
                targets = [each.target for each in proxy.requests if "delimiter" in each.target]
                requests[seconds] = sum(".davbridge" not in target for target in targets)
    assert requests[60.0] == 0
    assert requests[0.0] > 0


def test_the_program_of_ten_lines_that_mounts_it_beside_another_provider_works(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The README's program runs as it is, but for the places, and for its server, which ends."""
    answers: list[int] = []

    class AskedServer(Server):
        """On a free port; it ends when it has answered what a client asks."""

        def __init__(self, _address: object, app: object) -> None:
            super().__init__(("127.0.0.1", 0), app, numthreads=2)

        def start(self) -> None:
            self.prepare()
            serving = Thread(target=self.serve)
            serving.start()
            client = Client(self.bind_addr[1], {"Authorization": "Basic bWU6c2VjcmV0"})  # me:secret
            try:
                for share in ("s3", "local"):
                    for method, body in (("PUT", "x"), ("GET", None)):
                        answers.append(client(method, f"/{share}/f", body).status)
            finally:
                client.close()
                self.stop()
                serving.join()

    for variable, value in (
        ("AWS_ACCESS_KEY_ID", bucket.endpoint.access_key),
        ("AWS_SECRET_ACCESS_KEY", bucket.endpoint.secret_key),
        ("AWS_ENDPOINT_URL", bucket.endpoint.url),
    ):
        monkeypatch.setenv(variable, value)
    text = SNIPPET.replace("my-bucket", bucket.name).replace("/srv/files", str(tmp_path))
    text = text.replace("eu-central-1", bucket.endpoint.region)
    text = text.replace("from cheroot.wsgi import Server\n", "")
    exec(compile(text, "README.md", "exec"), {"Server": AskedServer})
    assert answers == [201, 200, 201, 200]
    assert bucket.get("drive/f").body == b"x"
    assert (tmp_path / "f").read_text() == "x"


# --- The seed's store


def test_seed_open_store_files_and_directories(store: davbridge.FileStore) -> None:
    store.create_directory("/d")
    before = store.store_fileobject(BytesIO(b"0123456789"), "/d/a.txt")
    assert store.get_file("/d/a.txt") == b"0123456789"
    with store.open_file("/d/a.txt", start=2, end=4) as reader:
        assert reader.read(10) == b"23"
    assert store.get_metadata("/d/a.txt") == {"modified": before, "bytes": 10, "is_dir": False}
    assert store.get_metadata("/d")["is_dir"]
    assert store.get_directory_listing("/d") == ["/d/a.txt"]
    with pytest.raises(NotFoundError):
        store.get_metadata("/nothing")
    with pytest.raises(AlreadyExistsError):
        store.create_directory("/d")
    with pytest.raises(IsACollectionError):
        store.get_file("/d")
    with pytest.raises(ParentMissingError):
        store.store_fileobject(BytesIO(b""), "/nowhere/a")


def test_seed_open_store_bulk_metadata_is_one_listing(bucket: Bucket, bucket_name: str) -> None:
    below = bucket.below(f"{bucket_name}/")
    for name in ("d/a", "d/b", "d/sub/x"):
        below.put(name, name.encode())
    with s3_proxy(bucket.endpoint.url) as proxy:
        given = options(bucket, endpoint_url=proxy.url)
        with davbridge.open_store(f"{bucket.name}/{bucket_name}", **given) as store:
            proxy.reset()
            found = store.get_bulk_metadata("/d")
            asked = [r for r in proxy.requests if "%2Fd%2F" in r.target or "/d/" in r.target]
        assert {path: (row["bytes"], row["is_dir"]) for path, row in found.items()} == {
            "/d/a": (3, False),
            "/d/b": (3, False),
            "/d/sub": (0, True),
        }
        assert len(asked) == 1
    with (
        davbridge.open_store(bucket.name, **options(bucket)) as store,
        pytest.raises(NotFoundError),
    ):
        store.get_bulk_metadata("/no/such/directory")


def test_seed_open_store_duplicate_move_and_delete_of_trees(
    store: davbridge.FileStore, bucket: Bucket, bucket_name: str, tmp_path: Path
) -> None:
    local = tmp_path / "local.png"
    local.write_bytes(b"png")
    store.create_directory("/d")
    store.store_file(str(local), "/d")
    store.store_file(str(local), "/d", "other")
    store.duplicate("/d", "/e")
    store.move("/d/other", "/e/moved")
    store.delete("/d")
    below = bucket.below(f"{bucket_name}/")
    assert below.bodies() == {
        "e/": b"",
        "e/local.png": b"png",
        "e/moved": b"png",
        "e/other": b"png",
    }
    assert below.get("e/local.png").content_type == "image/png"
    assert below.get("e/").content_type == MARKER_TYPE
    with pytest.raises(NotFoundError):
        store.delete("/d")


def test_seed_open_store_space(bucket: Bucket) -> None:
    given = options(bucket, quota=10, max_file_size=5)
    with davbridge.open_store(f"{bucket.name}/space", **given) as store:
        assert (store.get_overall_space(), store.get_max_filesize()) == (10, 5)
        while store.get_used_space() is None:  # What is written during a count may count twice.
            pass
        with pytest.raises(TooLargeError):
            store.store_fileobject(BytesIO(b"123456"), "/a")
        store.store_fileobject(BytesIO(b"12345"), "/a")
        store.store_fileobject(BytesIO(b"1234"), "/b")
        with pytest.raises(OutOfSpaceError):
            store.store_fileobject(BytesIO(b"12"), "/c")
        assert store.account_info() == (9, 10, 1)
        assert bucket.below("space/").listed() == ["a", "b"]


def test_a_body_that_can_not_be_read_leaves_the_old_file() -> None:
    class Broken(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError("the disk is gone")

    bucket = MemoryStore()
    bucket.put_object("a", b"old", Attributes())
    namespace = Namespace(bucket)
    store = filestore.FileStore(namespace)
    with pytest.raises(OSError, match="disk"):
        store.store_fileobject(Broken(), "/a")
    assert store.get_file("/a") == b"old"
    namespace.close()


def test_members_that_could_not_be_deleted_are_named() -> None:
    class Stuck(MemoryStore):
        """One object can't be deleted."""

        def delete_objects(
            self, keys: Sequence[str], *, versions: Mapping[str, ObjectRow] = NO_VERSIONS
        ) -> list[DeleteFailure]:
            others = [key for key in keys if key != "d/b"]
            failures = super().delete_objects(others, versions=versions)
            if "d/b" in keys:
                failures.append(DeleteFailure("d/b", AccessDeniedError("it is held")))
            return failures

    bucket = Stuck()
    for key in ("d/", "d/a", "d/b"):
        bucket.put_object(key, b"", Attributes())
    namespace = Namespace(bucket)
    try:
        with pytest.raises(filestore.IncompleteError, match="/d/b: it is held") as raised:
            filestore.FileStore(namespace).delete("/d")
        assert [failure.path for failure in raised.value.failures] == [("d", "b")]
    finally:
        namespace.close()
