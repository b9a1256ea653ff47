"""Properties files of many members: their format, what an update and a listing cost, and damage."""

import gzip
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.errors import StoreError
from davbridge.store.base import ALWAYS, Attributes, Condition, ObjectRow, ObjectStore
from davbridge.store.memory import MemoryStore
from davbridge.tree.namespace import Namespace
from davbridge.tree.properties.client_metadata import Properties
from davbridge.tree.properties.entries import (
    REMOVED,
    Entry,
    Table,
    decode_properties,
    encode_name,
    encode_properties,
)
from davbridge.tree.properties.merging import (
    LIMITS,
    Limits,
    in_pieces,
    is_mostly_garbage,
    merged,
    segments_to_merge,
)
from davbridge.tree.properties.sidecar_format import (
    SEGMENT_NAME,
    SIDECAR_NAME,
    Head,
    Segment,
    decode_head,
    decode_segment,
    encode_head,
    encode_segment,
    is_segment,
    is_sidecar,
)
from davbridge.tree.properties.sidecars import Sidecars
from tests.support.contract import keys
from tests.support.intercepted import InterceptedStore
from tests.tree.conftest import Drive, member_properties
from tests.tree.small_segments import SMALL, missing, orphans, small_segments

A, B = {"{n}p": "<p xmlns='n'>ü</p>"}, {"{n}q": '<q xmlns="n"/>'}

ROW = ObjectRow("d/" + SIDECAR_NAME, 1, datetime(2026, 1, 1, tzinfo=UTC), "e")


class TestFormat:
    """What is in the buckets of people must be read for ever."""

    OF_OLDER = (
        '{"format": 1, "members": {"a": {"{n}p": "<p xmlns=\'n\'>ü</p>"}, '
        '"ä \\"b\\"": {"{n}q": "<q xmlns=\\"n\\"/>"}}}'
    ).encode()

    FORMAT_1 = (
        '{"format": 1, "nonce": "", "members": {\n'
        '"a": {"{n}p": "<p xmlns=\'n\'>ü</p>"},\n'
        '"ä \\"b\\"": {"{n}q": "<q xmlns=\\"n\\"/>"}\n'
        "}}"
    ).encode()

    FORMAT_2 = (
        '{"format": 2, "nonce": "", "count": 3, "copy_of": "e0", '
        '"segments": [["00112233445566ff", 9, 700], ["0123456789abcdef", 40, 4000]], "members": {\n'
        '"a": {"{n}p": "<p xmlns=\'n\'>ü</p>"},\n'
        '"gone": null\n'
        "}}"
    ).encode()

    SEGMENT = (
        '{"format": 2, "members": {\n"a": {"{n}p": "<p xmlns=\'n\'>ü</p>"},\n"gone": null\n}}'
    ).encode()

    MEMBERS: Mapping[str, Properties] = {"a": A, 'ä "b"': B}

    @pytest.mark.parametrize("body", [OF_OLDER, FORMAT_1])
    def test_format_1_is_read(self, body: bytes) -> None:
        head = decode_head(ROW, body)
        assert not head.is_damaged
        assert head.member_count == 2
        assert decoded(head.table) == self.MEMBERS

    def test_format_2_is_read(self) -> None:
        head = decode_head(ROW, self.FORMAT_2)
        assert head.segments == (
            Segment("00112233445566ff", 9, 700),
            Segment("0123456789abcdef", 40, 4000),
        )
        assert (head.member_count, head.copy_of, head.is_damaged) == (3, "e0", False)
        assert head.table.find(b'"gone"') == REMOVED
        assert decoded(head.table) == {"a": A, "gone": {}}

    def test_a_segment_is_read(self) -> None:
        table = decode_segment(gzip.compress(self.SEGMENT))
        assert decoded(table) == {"a": A, "gone": {}}

    def test_what_is_written_is_read(self) -> None:
        assert encode_head(decode_head(ROW, self.OF_OLDER)) == self.FORMAT_1
        assert encode_head(decode_head(ROW, self.FORMAT_2)) == self.FORMAT_2
        assert gzip.decompress(encode_segment(decode_head(ROW, self.FORMAT_2).table)) == (
            self.SEGMENT
        )

    @pytest.mark.parametrize("body", [OF_OLDER, FORMAT_1, FORMAT_2, SEGMENT])
    def test_each_is_json(self, body: bytes) -> None:
        assert json.loads(body)["members"]["a"] == A

    def test_few_properties_are_written_for_older_versions(self, drive: Drive) -> None:
        drive.outside("a", "b")
        drive.tree.update_properties(("a",), A)
        content = json.loads(drive.content(SIDECAR_NAME))
        assert (content["format"], content["members"]) == (1, {"a": A})

    # With names, as gzip writes the time into its output: each worker would have others.
    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"x", id="no gzip"),
            pytest.param(gzip.compress(b"x"), id="no JSON"),
            pytest.param(gzip.compress(FORMAT_1)[:-9], id="cut short"),
            pytest.param(
                gzip.compress(b'{"format": 2, "members": {\n"a": []\n}}'), id="no properties"
            ),
            pytest.param(gzip.compress(b"[" * 100_000), id="nested"),
        ],
    )
    def test_a_segment_that_is_none_is_refused(self, body: bytes) -> None:
        with pytest.raises(ValueError, match=r"\w"):
            decode_segment(body)


def decoded(table: Table) -> dict[str, Properties]:
    return {json.loads(name): decode_properties(value) for name, value in table}


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


class TestTables:
    @given(st.dictionaries(NAMES, NAMES, max_size=20), NAMES)
    def test_each_name_is_found(self, texts: dict[str, str], other: str) -> None:
        table = table_of(texts)
        assert len(table) == len(texts)
        assert decode_segment(encode_segment(table)).body == table.body
        for name, text in texts.items():
            assert table.find(encode_name(name)) == encode_properties({"p": text})
        assert (table.find(encode_name(other)) is None) == (other not in texts)
        assert [json.loads(name) for name, _ in table] == sorted(
            texts, key=lambda name: encode_name(name)
        )

    @pytest.mark.parametrize(
        "body",
        [
            b'"b": {},\n"a": {}',
            b'"a": {},\n"a": {}',
            b'"a": {}\n"b": {}',
            b'"a": {},\n',
            b'"a": 1',
            b"a: {}",
        ],
    )
    def test_what_is_no_table_is_refused(self, body: bytes) -> None:
        with pytest.raises(ValueError, match=r"\w"):
            list(Table(body))

    @given(st.lists(st.dictionaries(NAMES, NAMES | st.none(), max_size=9), max_size=4))
    def test_later_entries_hide_earlier_ones(self, layers: list[dict[str, str | None]]) -> None:
        known: dict[str, str | None] = {}
        for layer in layers:
            known |= layer
        tables = [table_of(layer) for layer in reversed(layers)]
        found = Table.of(merged(tables, keeps_removed=False))
        assert found.body == table_of({k: v for k, v in known.items() if v is not None}).body
        assert Table.of(merged(tables, keeps_removed=True)).body == table_of(known).body
        pieces = list(in_pieces(merged(tables, keeps_removed=True), SMALL))
        assert b",\n".join(piece.body for piece in pieces) == table_of(known).body


def table_of(texts: Mapping[str, str | None]) -> Table:
    entries = (
        Entry(encode_name(name), REMOVED if text is None else encode_properties({"p": text}))
        for name, text in texts.items()
    )
    return Table.of(sorted(entries))


K = 1024


@pytest.mark.parametrize(
    ("sizes", "number"),
    [
        ([], 0),
        ([16 * K] * 3, 0),
        ([16 * K] * 4, 4),
        ([16 * K] * 4 + [64 * K] * 2, 4),
        ([16 * K] * 4 + [64 * K] * 4, 8),
        ([16 * K, *([64 * K] * 3)], 0),
        ([16 * K, *([64 * K] * 4), 256 * K], 5),
        ([K, 300 * K, K, K, K], 0),
        ([16 * K] * 3 + [0] + [16 * K] * 4, 0),
        ([16 * K] * 4 + [K * K] * 9, 4),
        ([K * K] * 9, 0),
    ],
)
def test_four_segments_of_one_size_are_merged(sizes: list[int], number: int) -> None:
    assert segments_to_merge(sizes, LIMITS) == number


def test_a_half_of_all_entries_may_be_hidden_or_gone() -> None:
    assert not is_mostly_garbage(2000, 1000, LIMITS)
    assert is_mostly_garbage(2200, 1000, LIMITS)
    assert is_mostly_garbage(1, 0, LIMITS)


# What it costs.


class Bytes(InterceptedStore):
    """Counts the bytes of what is written, and the requests."""

    def __init__(self, inner: ObjectStore) -> None:
        super().__init__(inner)
        self.sent = 0
        self.requests: list[tuple[str, str]] = []

    def intercept(self, name, key, call):  # type: ignore[no-untyped-def]
        self.requests.append((name, key))
        return call()

    def put_object(
        self, key: str, body: bytes, attributes: Attributes, condition: Condition = ALWAYS
    ) -> ObjectRow:
        self.sent += len(body)
        return super().put_object(key, body, attributes, condition)

    def taken(self) -> tuple[int, int]:
        """Requests and bytes since the last call."""
        taken = len(self.requests), self.sent
        self.requests.clear()
        self.sent = 0
        return taken


EXPLORER = "urn:schemas-microsoft-com:"


def explorer(number: int) -> dict[str, str | None]:
    """What Explorer sets of each file that it saves."""
    time = f"Tue, 01 Dec 2026 {number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02} GMT"
    times = ("CreationTime", "LastAccessTime", "LastModifiedTime")
    texts = {f"Win32{name}": time for name in times}
    texts["Win32FileAttributes"] = "00000020"
    return {
        f"{{{EXPLORER}}}{name}": f'<ns0:{name} xmlns:ns0="{EXPLORER}">{text}</ns0:{name}>'
        for name, text in texts.items()
    }


def names_of(number: int) -> list[str]:
    return [f"Document {each:05}.docx" for each in range(number)]


def bridge(store: ObjectStore) -> Namespace:
    """With a cache that nothing leaves."""
    return Namespace(CachedStore(store, CacheSettings(ttl=1e6)), uncached=store)


def test_the_last_hundred_saves_of_2000_cost_what_the_first_hundred_did() -> None:
    bucket = MemoryStore()
    for name in names_of(2000):
        bucket.put_object(f"d/{name}", b"x", Attributes())
    store = Bytes(bucket)
    tree = bridge(store)
    assert len(list(tree.members(("d",)))) == 2000
    store.taken()
    costs: list[tuple[int, int]] = []
    for number, name in enumerate(names_of(2000)):
        tree.update_properties(("d", name), explorer(number))
        if number % 100 == 99:
            costs.append(store.taken())
    first, *others = costs
    assert all(requests <= 1.2 * first[0] for requests, _ in others)
    assert all(sent <= 1.2 * first[1] for _, sent in others)
    assert first[0] <= 110
    assert first[1] <= 100 * 10_000
    assert len(member_properties(tree, ("d",))) == 2000
    tree.close()


@pytest.fixture(scope="module")
def large() -> MemoryStore:
    """A folder with 10,000 files that have four properties each."""
    bucket = MemoryStore()
    sidecars, names = Sidecars(bucket), names_of(10_000)
    for name in names:
        bucket.put_object(f"d/{name}", b"x", Attributes())
    for start in range(0, 10_000, 20):
        changed = {
            names[number]: {key: text for key, text in explorer(number).items() if text}
            for number in range(start, start + 20)
        }
        sidecars.update_members("d/", lambda _, changed=changed: changed)  # type: ignore[misc]
    return bucket


def test_a_cold_listing_of_10000_takes_30_requests_and_a_warm_one_none(large: MemoryStore) -> None:
    store = Bytes(large)
    tree = bridge(store)
    for most in (30, 0):
        store.taken()
        listing = tree.listing(("d",))
        assert sum(len(page.members) for page in listing.pages) == 10_000
        assert len(listing.properties) == 10_000
        assert store.taken()[0] <= most
    tree.close()


def test_a_look_at_one_file_decodes_no_other_s_properties(
    large: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = bridge(large)
    name = names_of(10_000)[77]
    decoded: list[bytes] = []
    decode = json.loads

    def noting(text: bytes) -> object:
        decoded.append(text)
        return decode(text)

    tree.properties(("d", names_of(1)[0]))
    monkeypatch.setattr(json, "loads", noting)
    assert tree.properties(("d", name)) == explorer(77)
    assert len(decoded) <= 1
    tree.close()


def test_segments_that_do_not_fit_the_cache_are_read_only_for_their_own_names(
    monkeypatch: pytest.MonkeyPatch, large: MemoryStore
) -> None:
    monkeypatch.setattr("davbridge.tree.properties.sidecar_files.MAX_CACHE_BYTES", 200 * K)
    store = Bytes(large)
    tree = bridge(store)
    names = names_of(10_000)
    tree.properties(("d", "none"))
    for name in ("none", names[5], names[9_999]):
        store.taken()
        tree.properties(("d", name))
        assert store.taken()[0] <= (name in names)
    tree.close()


def test_the_first_update_of_a_large_old_file_moves_its_entries_into_segments(drive: Drive) -> None:
    names = names_of(3000)
    drive.outside(*names)
    members = {name: explorer(number) for number, name in enumerate(names)}
    drive.outside(SIDECAR_NAME, body=json.dumps({"format": 1, "members": members}).encode())
    drive.tree.update_properties((names[7],), A)
    drive.store.taken()
    drive.tree.update_properties((names[8],), A)
    assert drive.store.taken().count("put") == 1
    assert len(drive.content(SIDECAR_NAME)) < 20 * K
    found = member_properties(drive.tree, ())
    assert found == {**members, **{name: {**members[name], **A} for name in names[7:9]}}


def test_updates_of_the_same_files_over_and_over_leave_few_entries(drive: Drive) -> None:
    names = names_of(100)
    drive.outside(*names)
    for turn in range(20):
        for number, name in enumerate(names):
            drive.tree.update_properties((name,), explorer(turn * 100 + number))
    segments = Sidecars(drive.bucket)._files.fetch(SIDECAR_NAME).segments
    assert sum(segment.entries for segment in segments) < 2 * 100 + 200
    assert member_properties(drive.tree, ())[names[99]] == explorer(1999)
    for name in names:
        drive.tree.update_properties((name,), dict.fromkeys(explorer(0)))
    assert drive.stored() == sorted(names)


def test_a_property_of_a_megabyte_is_written_a_few_times_only(drive: Drive) -> None:
    big = {"{n}p": f"<p xmlns='n'>{'x' * (K * K - 100)}</p>"}
    names = names_of(60)
    drive.outside(*names)
    drive.tree.update_properties((names[0],), big)
    store = Bytes(drive.bucket)
    tree = bridge(store)
    for name in names:
        tree.update_properties((name,), B)
    assert store.sent < 5 * K * K
    assert tree.properties((names[0],)) == {**big, **B}
    tree.close()


def test_properties_stay_in_the_head_where_names_are_too_long_for_segments() -> None:
    prefix = "d" * 200 + "/"
    prefix = prefix * 5
    prefix = prefix[: 1024 - len(SIDECAR_NAME) - 3] + "/"
    bucket = MemoryStore()
    sidecars = Sidecars(bucket, SMALL)
    for number in range(9):
        sidecars.update(prefix, f"f{number}", lambda _: A)
    assert keys(bucket) == [prefix + SIDECAR_NAME]
    assert len(Sidecars(bucket).read(prefix)) == 9


def test_more_than_a_piece_at_once_is_written_in_pieces(drive: Drive) -> None:
    names = names_of(500)
    sidecars = Sidecars(drive.bucket, Limits(piece_bytes=50_000))
    changed = {name: {k: v for k, v in explorer(3).items() if v} for name in names}
    sidecars.update_members("", lambda _: changed)
    assert dict(Sidecars(drive.bucket).read("")) == changed
    assert max(map(len, map(drive.content, drive.stored()))) < 60_000
    assert orphans(drive.bucket) == missing(drive.bucket) == set()


# Threads, and damage.


FEW = SMALL._replace(fan_in=4)


@pytest.fixture
def several() -> Iterator[Drive]:
    """A drive with a folder whose members have properties, in several segments."""
    with small_segments(FEW):
        segmented = Drive()
    segmented.outside(*"abcdef")
    for name in "abcdef":
        segmented.tree.update_properties((name,), {"{n}of": f"<of xmlns='n'>{name}</of>"})
    assert sum(map(is_segment, segmented.stored())) > 1
    yield segmented
    segmented.tree.close()


def of(names: Sequence[str]) -> dict[str, dict[str, str]]:
    return {name: {"{n}of": f"<of xmlns='n'>{name}</of>"} for name in names}


def test_updates_of_many_threads_and_bridges_are_all_kept_in_segments(drive: Drive) -> None:
    names = [f"f{number}" for number in range(12)]
    drive.outside(*names)
    with small_segments():
        bridges = [Namespace(drive.bucket) for _ in range(3)]
    errors: list[Exception] = []

    def update(number: int, name: str) -> None:
        try:
            for turn in range(5):
                change = {f"{{n}}p{turn}": f"<p{turn} xmlns='n'/>"}
                bridges[number % 3].update_properties((name,), change)
        except StoreError as error:
            errors.append(error)

    threads = [Thread(target=update, args=one) for one in enumerate(names)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    members = member_properties(drive.tree, ())
    assert {name: len(props) for name, props in members.items()} == dict.fromkeys(names, 5)
    assert orphans(drive.bucket) == missing(drive.bucket) == set()
    for tree in bridges:
        tree.close()


def test_a_damaged_segment_is_logged_hides_nothing_and_stays(
    several: Drive, caplog: pytest.LogCaptureFixture
) -> None:
    key = max(filter(is_segment, several.stored()), key=lambda key: len(several.content(key)))
    lost = decoded(decode_segment(several.content(key))).keys()
    several.outside(key, body=b"broken")
    with small_segments(FEW):
        tree = Namespace(several.store)
    with caplog.at_level(logging.WARNING):
        assert member_properties(tree, ()) == of(sorted(set("abcdef") - lost))
    assert key in caplog.text
    for name in "abcdef" * 2:
        tree.update_properties((name,), {"{n}more": "<more xmlns='n'/>"})
    found = member_properties(tree, ())
    assert {name for name in found if "{n}of" in found[name]} == set("abcdef") - lost
    assert all("{n}more" in found[name] for name in "abcdef")
    assert several.content(key) == b"broken"
    several.outside(key, body=b"mended in time")
    assert missing(several.bucket) == set()
    tree.close()


def test_a_segment_that_is_gone_takes_no_others_along(
    several: Drive, caplog: pytest.LogCaptureFixture
) -> None:
    key = max(filter(is_segment, several.stored()), key=lambda key: len(several.content(key)))
    lost = decoded(decode_segment(several.content(key))).keys()
    several.bucket.delete_object(key)
    with small_segments(FEW):
        tree = Namespace(several.store)
    with caplog.at_level(logging.WARNING):
        assert member_properties(tree, ()) == of(sorted(set("abcdef") - lost))
    assert key in caplog.text
    for name in "abcdef" * 2:
        tree.update_properties((name,), {"{n}more": "<more xmlns='n'/>"})
    assert all("{n}more" in each for each in member_properties(tree, ()).values())
    tree.close()


def test_segments_are_davbridge_s_own(several: Drive) -> None:
    key = next(filter(is_segment, several.stored()))
    assert key.startswith(SEGMENT_NAME)
    assert is_sidecar(key)
    assert several.kind(f"/{key}") is None
    assert several.names() == list("abcdef")


def test_a_head_s_weight_counts_its_entries() -> None:
    table = table_of({str(number): "x" * 100 for number in range(100)})
    assert Head(ROW, table).nbytes > 100 * 100
