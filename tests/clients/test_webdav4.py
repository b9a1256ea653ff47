"""A day's work with the Python client webdav4, which asks PROPFIND without a Depth."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import pytest
from webdav4.client import Client, ResourceAlreadyExists, ResourceLocked, ResourceNotFound

from tests.support.bodies import lock_info
from tests.support.drive import Home
from tests.support.names import NAMES

ESCAPED = "#?%"
"""Characters that the client leaves to its user to escape in paths."""


@pytest.fixture
def client(home: Home) -> Iterator[Client]:
    client = Client(home.url, timeout=60)
    try:
        yield client
    finally:
        client.http.close()


def test_a_days_work_with_webdav4_leaves_plain_objects(
    client: Client, home: Home, tmp_path: Path
) -> None:
    assert client.options() == {"1", "2"}
    client.mkdir("docs")
    client.mkdir(quote("docs/sub #1 100% ä"))
    for name in NAMES:
        (tmp_path / name).write_bytes(name.encode())
        client.upload_file(tmp_path / name, f"docs/{quote(name)}")
    with pytest.raises(ResourceAlreadyExists):
        client.upload_file(tmp_path / "it's.txt", "docs/plain.txt")
    client.upload_fileobj(BytesIO(b"a second version"), "docs/plain.txt", overwrite=True)
    listed = {"sub #1 100% ä", *NAMES}
    assert set(client.ls("docs", detail=False)) == {f"docs/{name}" for name in listed}
    docs = {name: name.encode() for name in NAMES}
    docs |= {"": b"", "sub #1 100% ä/": b"", "plain.txt": b"a second version"}
    assert home.bucket.bodies() == {f"docs/{key}": docs[key] for key in docs}

    client.move(quote("docs/100%.txt"), quote("docs/sub #1 100% ä/50% + #2;.txt"))
    client.remove("docs/semi;colon.txt")
    client.copy("docs", "archive")
    with pytest.raises(ResourceAlreadyExists):
        client.copy("docs", "archive")
    client.move("docs", "archive/moved")
    docs["sub #1 100% ä/50% + #2;.txt"] = docs.pop("100%.txt")
    del docs["semi;colon.txt"]
    archive = docs | {f"moved/{key}": docs[key] for key in docs}
    assert home.bucket.bodies() == {f"archive/{key}": archive[key] for key in archive}

    client.remove("archive/moved")
    with pytest.raises(ResourceNotFound):
        client.info("archive/moved")
    assert home.bucket.bodies() == {f"archive/{key}": docs[key] for key in docs}


def test_webdav4_reads_properties_without_a_depth(client: Client, home: Home) -> None:
    client.mkdir("docs")
    for name in NAMES:
        path = f"docs/{quote(name)}"
        client.upload_fileobj(BytesIO(name.encode()), path)
        if set(name).isdisjoint(ESCAPED):
            assert client.isfile(f"docs/{name}")
            assert client.content_length(f"docs/{name}") == len(name.encode())
            assert client.etag(f"docs/{name}") == home.bucket.get(f"docs/{name}").etag
    assert client.isdir("docs")
    assert client.exists("docs/plain.txt")
    assert not client.exists("docs/missing")
    modified = client.modified("docs/plain.txt")
    assert modified is not None
    assert modified == client.created("docs/plain.txt")


def test_webdav4_reads_in_pieces_what_it_wrote_as_a_stream(
    client: Client, home: Home, tmp_path: Path
) -> None:
    body = bytes(range(256)) * 80_000  # more than a part
    client.upload_fileobj(BytesIO(body), "big.bin", size=len(body))
    client.upload_fileobj(BytesIO(body), "stream.bin")
    assert home.bucket.bodies() == {"big.bin": body, "stream.bin": body}
    client.download_file("stream.bin", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == body
    with client.open("big.bin", mode="rb") as file:
        for place in (0, 5_000_000, 20_479_990, 123):
            file.seek(place)
            assert file.read(20) == body[place : place + 20]


def test_webdav4_learns_of_locks(client: Client, home: Home) -> None:
    client.upload_fileobj(BytesIO(b"locked"), "a.txt")
    with home.server.client() as other:
        assert other("LOCK", f"{home.path}a.txt", lock_info()).status == 200
    with pytest.raises(ResourceLocked):
        client.remove("a.txt")
    with pytest.raises(ResourceLocked):
        client.move("a.txt", "b.txt")
    assert home.bucket.bodies() == {"a.txt": b"locked"}
