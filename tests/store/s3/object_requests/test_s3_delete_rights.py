"""A store that refuses DELETE: a MOVE is refused before it writes, or leaves what was there."""

from collections.abc import Iterator

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.dav.errors import refusal_of
from davbridge.errors import AccessDeniedError, MissingRightError
from davbridge.store.s3 import S3Store
from davbridge.store.s3.bucket.capabilities import CANARY
from davbridge.tree.namespace import Namespace
from tests.support.contract import drain, fill, keys, write
from tests.support.operations import operation_of
from tests.support.s3proxy import Answer, Request, Rule, S3Proxy, error
from tests.support.skipping import Skipping


def refusing_deletes(prefix: str = "") -> Rule:
    """Of keys with this prefix, as a policy does."""

    def rule(request: Request) -> Answer | None:
        operation = operation_of(request)
        is_below = f"/{prefix}" in request.target.partition("?")[0]
        if operation == "DeleteObject" and is_below:
            return error("AccessDenied", 403)
        if operation != "DeleteObjects" or f"<Key>{prefix}".encode() not in request.body:
            return None
        listed = request.body.split(b"<Key>")[1:]
        refused = [each.partition(b"</Key>")[0] for each in listed]
        assert all(key.startswith(prefix.encode()) for key in refused)
        errors = b"".join(
            b"<Error><Key>" + key + b"</Key><Code>AccessDenied</Code></Error>" for key in refused
        )
        return Answer(200, b"<DeleteResult>" + errors + b"</DeleteResult>")

    return rule


@pytest.fixture
def tree(proxied: S3Store) -> Iterator[Namespace]:
    tree = Namespace(CachedStore(proxied, CacheSettings()), uncached=proxied)
    yield tree
    tree.close()


@pytest.fixture
def filled(proxied: S3Store, proxy: S3Proxy) -> list[str]:
    """What is in the bucket, and the credentials may not delete anything."""
    fill(proxied, "d/", "d/a", "d/b", "e/", "e/a", "f")
    write(proxied, "e/a", b"another")
    proxy.rule = refusing_deletes()
    proxied.probe("")
    return keys(proxied)


Move = tuple[tuple[str, ...], tuple[str, ...]]

MOVES: dict[str, Move] = {
    "a file to a free name": (("d", "a"), ("n",)),
    "a file over a file": (("d", "a"), ("e", "a")),
    "a file over a folder": (("f",), ("e",)),
    "a folder to a free name": (("d",), ("n",)),
    "a folder over a folder": (("d",), ("e",)),
    "a folder over a file": (("d",), ("f",)),
}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_a_move_is_refused_before_it_writes_where_the_right_to_delete_is_missing(
    filled: list[str],
    tree: Namespace,
    proxied: S3Store,
    proxy: S3Proxy,
    move: Move,
) -> None:
    assert not proxied.capabilities.deletes
    proxy.requests.clear()
    with pytest.raises(MissingRightError) as raised:
        tree.move(move[0], move[1])
    refusal = refusal_of(raised.value)
    assert refusal.status == 403
    assert "s3:DeleteObject" in refusal.message
    assert {each.method for each in proxy.requests} <= {"GET", "HEAD"}
    assert keys(proxied) == filled
    assert drain(proxied.get_object("e/a")) == b"another"


def test_a_copy_over_a_folder_is_refused_alike_if_it_would_delete_members(
    filled: list[str], tree: Namespace, proxied: S3Store
) -> None:
    with pytest.raises(MissingRightError):
        tree.copy(("e",), ("d",))
    assert tree.copy(("d",), ("n",)) == []
    assert tree.copy(("d", "a"), ("e", "a")) == []
    assert drain(proxied.get_object("e/a")) == b"x"


def test_that_the_right_to_delete_is_missing_is_logged(
    filled: list[str], caplog: pytest.LogCaptureFixture, proxied: S3Store
) -> None:
    caplog.clear()
    proxied.probe("")
    assert "the right s3:DeleteObject (every MOVE is refused" in caplog.text


def test_a_delete_asks_the_store_all_the_same(
    filled: list[str], tree: Namespace, proxied: S3Store, proxy: S3Proxy
) -> None:
    with pytest.raises(AccessDeniedError):
        tree.delete(("f",))
    proxy.reset()
    assert tree.delete(("f",)) == []
    assert tree.move(("d",), ("n",)) == []


def test_a_right_that_was_granted_meanwhile_is_noticed_by_a_move(
    filled: list[str], tree: Namespace, proxied: S3Store, proxy: S3Proxy, skipping: Skipping
) -> None:
    skipping.skip(61)
    with pytest.raises(MissingRightError):
        tree.move(("d",), ("n",))
    proxy.reset()
    with pytest.raises(MissingRightError):
        tree.move(("d",), ("n",))
    assert proxy.count("DELETE") == 0
    skipping.skip(61)
    assert tree.move(("d",), ("n",)) == []
    assert CANARY in proxy.requests[[each.method for each in proxy.requests].index("DELETE")].target
    assert [key for key in keys(proxied) if CANARY not in key] == [
        "e/",
        "e/a",
        "f",
        "n/",
        "n/a",
        "n/b",
    ]


@pytest.mark.parametrize("source", [("d", "a"), ("d",)], ids=["a file", "a folder"])
def test_a_move_out_of_a_folder_in_which_deletes_are_refused_is_undone_and_then_not_begun(
    tree: Namespace, proxied: S3Store, proxy: S3Proxy, source: tuple[str, ...]
) -> None:
    proxied.probe("")
    fill(proxied, "d/", "d/a", "d/b", "f")
    before = keys(proxied)
    proxy.rule = refusing_deletes("d/")
    if len(source) == 2:
        with pytest.raises(AccessDeniedError):
            tree.move(source, ("n",))
    else:
        failures = tree.move(source, ("n",))
        assert {type(failure.error) for failure in failures} == {AccessDeniedError}
    assert keys(proxied) == before
    proxy.requests.clear()
    with pytest.raises(MissingRightError):
        tree.move(source, ("n",))
    assert {each.method for each in proxy.requests} <= {"GET", "HEAD"}
    assert tree.move(("f",), ("g",)) == []


def test_a_move_that_replaces_something_in_spite_of_that_leaves_what_it_has_replaced(
    tree: Namespace, proxied: S3Store, proxy: S3Proxy
) -> None:
    """Nothing is lost: what is moved is at both ends."""
    proxied.probe("")
    fill(proxied, "d/", "d/a", "f")
    proxy.rule = refusing_deletes("d/")
    with pytest.raises(AccessDeniedError):
        tree.move(("d", "a"), ("f",))
    assert keys(proxied) == ["d/", "d/a", "f"]


def test_a_move_costs_no_more_where_deletes_are_allowed(
    tree: Namespace, proxied: S3Store, proxy: S3Proxy
) -> None:
    proxied.probe("")
    assert proxied.capabilities.deletes
    fill(proxied, "d/", "d/a")
    list(tree.members(("d",)))
    list(tree.members(()))
    proxy.requests.clear()
    tree.move(("d", "a"), ("d", "n"))
    operations = [operation_of(each) for each in proxy.requests]
    assert "DeleteObject" in operations
    assert operations.count("DeleteObject") == 1
