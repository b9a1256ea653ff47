"""A day's work with the Python client webdavclient3, which looks with HEAD before it leaps."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from webdav3.client import Client
from webdav3.exceptions import RemoteParentNotFound, RemoteResourceNotFound, ResourceLocked

from tests.support.drive import Home
from tests.support.names import NAMES


@pytest.fixture
def client(home: Home) -> Iterator[Client]:
    with client_of(home) as client:
        yield client


@contextmanager
def client_of(home: Home, *, disable_check: bool = False) -> Iterator[Client]:
    client = Client(
        {
            "webdav_hostname": home.server.url,
            "webdav_root": home.path,
            "webdav_disable_check": disable_check,
        }
    )
    try:
        yield client
    finally:
        client.session.close()


def test_a_days_work_with_webdavclient3_leaves_plain_objects(
    client: Client, home: Home, tmp_path: Path
) -> None:
    assert client.list() == []
    client.mkdir("docs/sub #1 100% ä/deep", recursive=True)
    for name in NAMES:
        (tmp_path / name).write_bytes(name.encode())
        client.upload_sync(remote_path=f"docs/{name}", local_path=str(tmp_path / name))
        assert client.check(f"docs/{name}")
        assert client.info(f"docs/{name}")["size"] == str(len(name.encode()))
    with pytest.raises(RemoteParentNotFound):
        client.upload_to(BytesIO(b""), "missing/a.txt")
    client.upload_to(BytesIO(b"a second version"), "docs/plain.txt")
    assert set(client.list("docs")) == {"sub #1 100% ä/", *NAMES}
    docs = {name: name.encode() for name in NAMES}
    docs |= {"": b"", "sub #1 100% ä/": b"", "sub #1 100% ä/deep/": b""}
    docs["plain.txt"] = b"a second version"
    assert home.bucket.bodies() == {f"docs/{key}": docs[key] for key in docs}

    client.move("docs/100%.txt", "docs/sub #1 100% ä/50% + #2;.txt")
    client.copy("docs/it's.txt", "docs/sub #1 100% ä/it's a copy.txt")
    client.clean("docs/semi;colon.txt")
    docs["sub #1 100% ä/50% + #2;.txt"] = docs.pop("100%.txt")
    docs["sub #1 100% ä/it's a copy.txt"] = docs["it's.txt"]
    del docs["semi;colon.txt"]
    client.copy("docs", "archive", depth="infinity")
    client.clean("docs/")
    assert not client.check("docs")
    with pytest.raises(RemoteResourceNotFound):
        client.list("docs")
    assert home.bucket.bodies() == {f"archive/{key}": docs[key] for key in docs}


def test_webdavclient3_carries_whole_folders_up_and_down(
    client: Client, home: Home, tmp_path: Path
) -> None:
    files = {name: name.encode() for name in NAMES}
    files |= {f"sub & more/{name}": name.encode() * 2 for name in NAMES}
    files["sub & more/big.bin"] = bytes(range(256)) * 80_000  # more than a part
    for name, body in files.items():
        path = tmp_path / "up" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    client.upload_sync(remote_path="docs", local_path=str(tmp_path / "up"))
    markers = {"docs/": b"", "docs/sub & more/": b""}
    assert home.bucket.bodies() == markers | {f"docs/{key}": files[key] for key in files}
    client.download_sync(remote_path="docs", local_path=str(tmp_path / "down"))
    down = tmp_path / "down"
    found = {str(f.relative_to(down)): f.read_bytes() for f in down.rglob("*") if f.is_file()}
    assert found == files


def test_webdavclient3_keeps_properties(client: Client) -> None:
    colour = {"namespace": "urn:test", "name": "colour"}
    client.upload_to(BytesIO(b"x"), "a.txt")
    client.set_property("a.txt", {**colour, "value": "blue & <green>"})
    client.move("a.txt", "b ä.txt")
    assert client.get_property("b ä.txt", colour) == "blue & <green>"


def test_webdavclient3_writes_what_it_locked(client: Client, home: Home) -> None:
    # A client that holds a lock sends its token with the HEAD of the parent as well, where
    # RFC 4918 §10.4 asks for 412; so the writer doesn't look.
    with client_of(home, disable_check=True) as writer, writer.lock("a.txt", timeout=100) as holder:
        assert home.bucket.bodies() == {"a.txt": b""}
        with pytest.raises(ResourceLocked):
            client.upload_to(BytesIO(b"intruder"), "a.txt")
        holder.upload_to(BytesIO(b"first"), "a.txt")
    assert home.bucket.bodies() == {"a.txt": b"first"}
    client.upload_to(BytesIO(b"second"), "a.txt")
    assert home.bucket.bodies() == {"a.txt": b"second"}
