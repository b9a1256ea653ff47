"""OPTIONS, and methods that aren't there."""

import pytest

from davbridge.config import DriveSettings
from davbridge.store.memory import MemoryStore
from tests.dav.methods.words import fill
from tests.support.bridge import Client, running_bridge
from tests.support.contract import keys


def test_options_offers_classes_1_and_2_for_any_url(client: Client) -> None:
    for target in ("/", "*", "/missing", "/missing/"):
        answer = client("OPTIONS", target)
        assert answer.status == 200
        assert answer.header("DAV") == "1, 2"
        assert {"LOCK", "UNLOCK", "PUT", "PROPFIND"} <= set(answer.header("Allow").split(", "))
        assert answer.header("MS-Author-Via") == "DAV"
        assert "IIS" not in (answer.headers["Server"] or "")


def test_an_unknown_method_is_501_and_a_known_one_elsewhere_405(client: Client) -> None:
    assert client("BREW", "/").status == 501
    answer = client("PUT", "/", b"x")
    assert answer.status == 405
    assert "PROPFIND" in answer.header("Allow")


def test_a_read_only_drive_reads_and_refuses_to_write(store: MemoryStore) -> None:
    fill(store, "f")
    read_only = DriveSettings(read_only=True)
    with running_bridge(store, drive=read_only) as bridge, bridge.client() as client:
        options = client("OPTIONS", "/")
        assert options.header("DAV") == "1"
        assert "PUT" not in options.header("Allow")
        assert client("GET", "/f").body == b"f"
        assert client("PROPFIND", "/", depth="1").status == 207
        for method in ("PUT", "DELETE", "MKCOL", "LOCK", "PROPPATCH", "MOVE", "COPY"):
            assert client(method, "/f", destination="/g").status == 403
    assert keys(store) == ["f"]


@pytest.mark.parametrize(("read_only", "classes"), [(True, "1"), (False, "1, 2")])
def test_options_above_the_mount_has_the_drives_own_class(
    read_only: bool, classes: str, store: MemoryStore
) -> None:
    drive = DriveSettings(mount_path="/dav/files", read_only=read_only)
    with running_bridge(store, drive=drive) as bridge, bridge.client() as client:
        for target in ("/", "/dav/", "/dav/files/"):
            assert client("OPTIONS", target).header("DAV") == classes
