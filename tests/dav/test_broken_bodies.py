"""A body that breaks off is the client's fault; any other failure of the system is the server's."""

import logging
from collections.abc import Callable
from typing import TypeVar

import pytest

from davbridge.store.memory import MemoryStore
from tests.support.bridge import running_bridge
from tests.support.intercepted import InterceptedStore
from tests.support.objects import put
from tests.support.wire import RawClient

T = TypeVar("T")


class Unplugged(InterceptedStore):
    """Fails in a way that no store should."""

    def intercept(self, name: str, key: str, call: Callable[[], T]) -> T:
        if name == "commit":
            raise ConnectionResetError("the disk is gone")
        return super().intercept(name, key, call)


def test_a_store_that_raises_an_oserror_is_no_fault_of_the_client(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with running_bridge(Unplugged(MemoryStore())) as bridge, bridge.client() as client:
        answer = client("PUT", "/a", b"whole")
        assert (answer.status, answer.body) == (500, b"something went wrong; see the log\n")
    failures = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in failures] == ["PUT /a failed"]
    assert failures[0].exc_info


@pytest.mark.parametrize("method", ["PUT", "PROPFIND", "PROPPATCH", "LOCK"])
def test_a_body_that_breaks_off_is_a_400_and_logs_no_warning(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "davbridge")
    store = MemoryStore()
    put(store, "a", body=b"old")
    with running_bridge(store) as bridge, RawClient(bridge.port) as client:
        client.send(f"{method} /a HTTP/1.1\r\nHost: localhost\r\n".encode())
        client.send(b"Content-Length: 10\r\n\r\nhalf")
        client.finish_sending()
        assert client.answer().status == 400
    assert f"{method} /a: the client closed before the end of the body" in caplog.messages
    assert not any(record.levelno >= logging.WARNING for record in caplog.records)
    assert store.head_object("a").row.size == 3
