"""Attacks on the wire: refused, nothing of them is done, and none costs much memory. What parsing
them costs is counted in the parsers' own tests.

The rows are in attacks.py. Each is sent as it is, and then nothing more: what follows a first
answer would be the answer to a request that was smuggled in.
"""

import contextlib
import re
import sys
from collections.abc import Iterator

import pytest

from tests.support.buckets import Bucket
from tests.support.proc import MIB, most_resident
from tests.support.served import Served
from tests.support.wire import RawClient
from tests.wire.attacks import ATTACKS, VICTIM, Attack

GROWTH = 50 * MIB
"""That all of them together may cost."""

BODY = b"the victim"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def before(server: Served, bucket: Bucket) -> Iterator[int]:
    """Bytes resident at the most before the first attack, by a server that has served."""
    with server.client() as client:
        assert client("PUT", VICTIM, BODY).status == 201
        for method in ("GET", "PROPFIND", "PROPPATCH", "LOCK", "COPY"):
            client(method, VICTIM, depth="0")
    yield most_resident(server.pid)
    bucket.delete(VICTIM.removeprefix("/"))


def statuses_of(attack: Attack, port: int) -> list[int]:
    """Of all the answers that it gets."""
    received = b""
    with RawClient(port) as client:
        with contextlib.suppress(ConnectionError):
            client.send(attack.data)
            client.finish_sending()
        with contextlib.suppress(ConnectionResetError):
            while block := client.socket.recv(65536):
                received += block
    return [int(each) for each in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", received)]


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_is_refused_and_nothing_of_it_is_done(
    attack: Attack, before: int, server: Served, bucket: Bucket
) -> None:
    (status,) = statuses_of(attack, server.port)
    assert status in attack.answers
    assert bucket.bodies() == {VICTIM.removeprefix("/"): BODY}
    assert most_resident(server.pid) - before < GROWTH


def test_the_server_serves_after_all_attacks(before: int, server: Served) -> None:
    with server.client() as client:
        assert client("GET", VICTIM).body == BODY
        assert client("PROPFIND", "/", depth="1").status == 207
    assert "Traceback" not in server.log
    assert all(line.isprintable() for line in server.log.splitlines())
    assert not any(line.startswith("2026-01-01") for line in server.log.splitlines())
