"""What matters is in the bucket: a davbridge that ends, or is killed, takes nothing with it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.bridge import Client
from tests.support.buckets import Bucket, fresh_bucket
from tests.support.endpoints import Endpoint
from tests.support.served import Served, served

COLOUR = "{urn:test}colour"

SET = (
    '<D:propertyupdate xmlns:D="DAV:" xmlns:t="urn:test"><D:set><D:prop>'
    "<t:colour>{}</t:colour></D:prop></D:set></D:propertyupdate>"
)
ASK = '<D:propfind xmlns:D="DAV:" xmlns:t="urn:test"><D:prop><t:colour/></D:prop></D:propfind>'


def colour(client: Client, target: str) -> str | None:
    found = client("PROPFIND", target, ASK, depth="0").property(target, COLOUR)
    return None if found is None else found.text


def work(client: Client) -> dict[str, str]:
    """Files and properties; the entity tags of the files."""
    assert client("MKCOL", "/dir/").status == 201
    tags = {}
    for name, body in {"/dir/small.txt": b"small", "/dir/big.bin": bytes(20_000_000)}.items():
        answer = client("PUT", name, body)
        assert answer.status == 201
        tags[name] = answer.header("ETag")
    for name, value in {"/dir/": "green", "/dir/small.txt": "blue", "/": "red"}.items():
        assert client("PROPPATCH", name, SET.format(value)).status == 207
    return tags


@pytest.mark.parametrize("end", [Served.end, Served.kill], ids=["SIGTERM", "SIGKILL"])
def test_files_and_properties_survive_a_restart(
    end: Callable[[Served], None], seaweedfs: Endpoint, server_folder: Path
) -> None:
    with fresh_bucket(seaweedfs) as bucket:
        with served(bucket, server_folder) as server, server.client() as client:
            tags = work(client)
            end(server)
        with served(bucket, server_folder) as server, server.client() as client:
            assert colour(client, "/dir/") == "green"
            assert colour(client, "/dir/small.txt") == "blue"
            assert colour(client, "/") == "red"
            assert client("GET", "/dir/small.txt").body == b"small"
            assert client("GET", "/dir/big.bin").body == bytes(20_000_000)
            assert {name: client("HEAD", name).header("ETag") for name in tags} == tags
            move_and_check(client, bucket)


def move_and_check(client: Client, bucket: Bucket) -> None:
    """Properties follow the resources that an earlier process gave them to."""
    destination = f"http://127.0.0.1:{client.port}/moved/"
    assert client("MOVE", "/dir/", destination=destination).status == 201
    assert colour(client, "/moved/") == "green"
    assert colour(client, "/moved/small.txt") == "blue"
    assert not [key for key in bucket.listed() if key.startswith("dir/")]
