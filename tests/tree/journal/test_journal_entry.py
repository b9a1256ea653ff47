"""The format of journals, and what is left of a plan."""

import json
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from davbridge.store.base import ObjectRow
from davbridge.tree.journal.entry import JournalEntry, OperationRequest, decoded, encoded
from davbridge.tree.listing.markers import MARKER
from davbridge.tree.operations.remaining_work import remaining_work
from davbridge.tree.plan import NO_PLAN, Copy, Plan

NOW = datetime(2026, 1, 1, tzinfo=UTC)

REQUEST = OperationRequest("MOVE", ("s",), ("t",), "me")


def row(key: str, etag: str = "1", size: int = 1) -> ObjectRow:
    return ObjectRow(key, size, NOW, etag)


def plan(*names: str) -> Plan:
    copies = tuple(Copy(row(f"s/{name}"), f"t/{name}") for name in names)
    return NO_PLAN._replace(copies=copies, deletions=tuple(copy.source for copy in copies))


def test_a_journal_is_read_as_it_was_written() -> None:
    odd = row("s/ü\n\ud800\x00")
    whole = Plan(
        clashes=(row("t"),),
        marker="t/",
        copies=(Copy(odd, "t/ü"), Copy(row("s/d_$folder$", size=0), "t/d/", MARKER)),
        extras=(row("t/extra"),),
        deletions=(odd, row("s")),
        replaced=(row("t/ü", "old"),),
        target_prefix="t/",
        wanted=frozenset(("t/", "t/ü", "t/d/", "t/kept/")),
    )
    entry = JournalEntry(REQUEST, ("s",), ("t",), is_new=False, plan=whole)
    assert decoded(encoded(entry)) == entry


def test_a_journal_keeps_storage_classes_and_earlier_ones_have_none() -> None:
    cold = row("s/a")._replace(storage_class="STANDARD_IA")
    whole = NO_PLAN._replace(copies=(Copy(cold, "t/a"), Copy(row("s/b"), "t/b")))
    entry = JournalEntry(REQUEST, ("s",), ("t",), is_new=True, plan=whole)
    assert [copy.source for copy in decoded(encoded(entry)).plan.copies] == [cold, row("s/b")]
    content = json.loads(zlib.decompress(encoded(entry)))
    del content["classes"]
    earlier = decoded(zlib.compress(json.dumps(content).encode()))
    assert [copy.source for copy in earlier.plan.copies] == [row("s/a"), row("s/b")]


def test_what_a_lifecycle_rule_has_moved_to_another_class_is_unchanged() -> None:
    cold = row("s/a")._replace(storage_class="STANDARD_IA")
    left = remaining_work(plan("a"), {"s/a": cold}, {}, lambda _copy, _found: False)
    assert left.plan.copies == plan("a").copies
    assert left.plan.deletions == plan("a").deletions
    assert not left.written_since


def test_a_journal_of_a_thousand_objects_is_small() -> None:
    rows = [row(f"folder {n // 100}/file-{n:05}.bin", f"{n * 7919:032x}") for n in range(1000)]
    copies = tuple(Copy(each, "to/" + each.key) for each in rows)
    entry = JournalEntry(REQUEST, ("s",), ("t",), is_new=True, plan=NO_PLAN._replace(copies=copies))
    assert len(encoded(entry)) < 50_000


@pytest.mark.parametrize("length", [0, 1, 40, -1])
def test_a_damaged_journal_is_refused(length: int) -> None:
    body = encoded(JournalEntry(REQUEST, ("s",), ("t",), is_new=True, plan=plan("a")))
    with pytest.raises(ValueError, match="journal"):
        decoded(body[:length])
    with pytest.raises(ValueError, match="journal"):
        decoded(b"outside")


def test_requests_have_distinct_names() -> None:
    names = {
        OperationRequest("MOVE", ("s",), ("t",)).name,
        OperationRequest("COPY", ("s",), ("t",)).name,
        OperationRequest("DELETE", ("s",)).name,
        OperationRequest("MOVE", ("s", "t"), ()).name,
        OperationRequest("MOVE", ("s/t",), ()).name,
    }
    assert len(names) == 5
    assert REQUEST.name in names


def test_a_copy_with_the_etag_of_parts_is_recognised_by_its_bytes() -> None:
    """A copy of what was uploaded in parts has another ETag."""
    source, copied = row("s/a"), row("t/a", "other")
    now = {"s/a": source}, {"t/a": copied}
    same = remaining_work(plan("a"), *now, lambda _copy, _found: True)
    assert (same.plan.copies, same.plan.deletions, same.written_since) == ((), (source,), ())
    assert same.new_etags == {"t/a": "other"}
    different = remaining_work(plan("a"), *now, lambda _copy, _found: False)
    assert (different.plan.copies, different.plan.deletions) == ((), ())
    assert different.written_since == (source,)
    assert different.new_etags == {}


def test_equal_bytes_written_later_are_another_version() -> None:
    later = row("s/a")._replace(modified=NOW + timedelta(seconds=1))
    rest = remaining_work(
        plan("a"), {"s/a": later}, {"t/a": row("t/a")}, lambda _copy, _found: False
    )
    assert rest.written_since == (later,)
    assert rest.plan.deletions == ()


def test_only_what_was_at_the_target_before_is_overwritten() -> None:
    old = row("t/a", "old")
    before = plan("a")._replace(replaced=(old,), extras=(row("t/b"), row("t/c")))
    now = {"t/a": old, "t/b": row("t/b"), "t/c": row("t/c", "new")}
    rest = remaining_work(before, {"s/a": row("s/a")}, now, lambda _copy, _found: False)
    assert rest.plan.copies == before.copies
    assert rest.plan.replaced == (old,)
    assert rest.plan.extras == (row("t/b"),)
