"""RFC 9110 §14."""

import pytest

from davbridge.dav.errors import RefusalError
from davbridge.dav.headers.ranges import (
    MAX_RANGES,
    MAX_SKIPPED,
    MIN_GAP,
    ByteRange,
    parse_range,
    read_together,
)


@pytest.mark.parametrize(
    ("header", "ranges"),
    [
        (None, []),
        ("bytes=0-1", [(0, 2)]),
        ("bytes=4-", [(4, 10)]),
        ("bytes=-3", [(7, 10)]),
        ("bytes=-30", [(0, 10)]),
        ("bytes=8-99", [(8, 10)]),
        ("Bytes = 0-1 , 3-4", [(0, 5)]),
        ("bytes=0-0,20-30", [(0, 1)]),
        ("items=0-1", []),
        ("bytes=", []),
        ("bytes=a-b", []),
        ("bytes=-", []),
        ("bytes=3-1", []),
        ("bytes=0-1,x", []),
        ("bytes=" + ",".join(["0-1"] * (MAX_RANGES + 1)), []),
    ],
)
def test_ranges_lie_inside_the_object_or_are_ignored(
    header: str | None, ranges: list[tuple[int, int]]
) -> None:
    assert parse_range(header, 10) == [ByteRange(*each) for each in ranges]


def header_of(ranges: list[tuple[int, int]]) -> str:
    """For ranges with exclusive ends."""
    return "bytes=" + ",".join(f"{start}-{end - 1}" for start, end in ranges)


def test_as_many_ranges_as_apache_sends_are_sent_in_the_order_asked_for() -> None:
    """§14.2, §15.3.7.2: zsync asks for 20 at once, davix for over a hundred."""
    ranges = [(number * 10_000, number * 10_000 + 10) for number in reversed(range(MAX_RANGES))]
    assert parse_range(header_of(ranges), 10**7) == [ByteRange(*each) for each in ranges]
    assert parse_range(header_of([*ranges, (5, 6)]), 10**7) == []


@pytest.mark.parametrize(
    ("ranges", "joined"),
    [
        ([(0, 10), (5, 15)], [(0, 15)]),
        ([(5, 15), (0, 10)], [(0, 15)]),
        ([(0, 10), (10, 20)], [(0, 20)]),
        ([(0, 100), (20, 30), (90, 95)], [(0, 100)]),
        ([(0, 10), (0, 10), (0, 10)], [(0, 10)]),
        ([(0, 10), (9 + MIN_GAP, 900)], [(0, 900)]),
        ([(0, 10), (10 + MIN_GAP, 900)], [(0, 10), (10 + MIN_GAP, 900)]),
        ([(5000, 5010), (0, 10), (5005, 5020), (8, 20)], [(5000, 5020), (0, 20)]),
        ([(0, 9_000), (1_000, 10_000)], []),
    ],
)
def test_ranges_that_overlap_or_lie_close_become_one(
    ranges: list[tuple[int, int]], joined: list[tuple[int, int]]
) -> None:
    """§15.3.7.2, whatever their order; the whole is sent if that is all of it (§14.2)."""
    assert parse_range(header_of(ranges), 10_000) == [ByteRange(*each) for each in joined]


def test_no_ranges_are_answered_by_more_than_the_whole() -> None:
    """§14.2, §17.15: not even with the heads of their parts."""
    size = 100_000
    for gap in (1, 2, 100, MIN_GAP - 1, MIN_GAP, MIN_GAP + 1):
        wanted = [(start, start + 1) for start in range(0, size, gap + 1)][:MAX_RANGES]
        sent = parse_range(header_of(wanted), size)
        assert sum(MIN_GAP + each.length for each in sent) <= size + MIN_GAP


def test_ranges_that_lie_close_are_read_by_one_request_however_they_are_ordered() -> None:
    near = [ByteRange(number * 1_000, number * 1_000 + 10) for number in range(100)]
    far = [ByteRange(10**9 + number * 10**6, 10**9 + number * 10**6 + 1) for number in range(50)]
    mixed = [each for number in range(50) for each in (far[number], near[(number * 7) % 50])]
    groups = read_together([*mixed, *near[50:]])
    assert [each for each in groups if each[0] in far] == [[each] for each in far]
    assert [each for each in groups if each[0] not in far] == [near]
    apart = [ByteRange(0, 1), ByteRange(2 + MAX_SKIPPED, 3 + MAX_SKIPPED)]
    assert read_together(apart) == [[each] for each in apart]


LONG = "9" * 5_000


@pytest.mark.parametrize("number", ["9223372036854775807", "1" + "0" * 18, "1" + "0" * 19, LONG])
def test_a_position_may_have_any_number_of_digits(number: str) -> None:
    """§14.1.2."""
    assert parse_range(f"bytes=5-{number}", 10) == [ByteRange(5, 10)]
    assert parse_range(f"bytes=-{number}", 10) == [ByteRange(0, 10)]
    assert parse_range(f"bytes=0-0,{number}-", 10) == [ByteRange(0, 1)]
    assert parse_range("bytes=" + "0" * 5_000 + "5-" + "0" * 5_000 + "6", 10) == [ByteRange(5, 7)]
    for unsatisfiable in (f"{number}-", f"{number}-{number}", f"{number}-{number}0"):
        with pytest.raises(RefusalError) as refusal:
            parse_range(f"bytes={unsatisfiable}", 10)
        assert refusal.value.status == 416


def test_positions_of_many_digits_are_compared_by_value() -> None:
    """§14.1.2: a last position before the first one makes the header invalid, so it is ignored."""
    assert parse_range(f"bytes={LONG}-{LONG[:-1]}", 10) == []
    assert parse_range(f"bytes={LONG}-{LONG[:-1]}8", 10) == []
    assert parse_range("bytes=007-" + "0" * 30 + "6", 10) == []


@pytest.mark.parametrize("header", ["bytes=-1", "bytes=-99", f"bytes=-{LONG}", "bytes=0-,-5"])
def test_the_end_of_an_empty_object_is_all_of_it(header: str) -> None:
    """§14.1.2: such a range is satisfiable; there is no Content-Range that could name its bytes."""
    assert parse_range(header, 0) == []


@pytest.mark.parametrize("form", ["bytes=%sx", "bytes=0%sx", "bytes=0-%sx", "bytes=%s0-1"])
def test_a_header_full_of_blanks_is_parsed_in_proportion_to_its_length(form: str) -> None:
    """In the square of its length it would take an hour: the test wouldn't come to its end."""
    parse_range(form % (" " * 4_000_000), 10)


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=-0", 5), ("bytes=0-", 0), ("bytes=-0", 0)]
)
def test_a_range_past_the_end_is_416_with_the_size(header: str, size: int) -> None:
    with pytest.raises(RefusalError) as refusal:
        parse_range(header, size)
    assert refusal.value.status == 416
    assert refusal.value.headers == (("Content-Range", f"bytes */{size}"),)
