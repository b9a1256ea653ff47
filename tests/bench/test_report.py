"""The table's arithmetic."""

from tests.bench.measures import (
    AtMost,
    Figure,
    InARow,
    Row,
    Sample,
    TimesBetter,
    Unit,
    figure,
)
from tests.bench.report import HEADINGS, Results, best_of, lines, markdown
from tests.bench.scenarios.base import late, scaled

ROW = Row("copy", "COPY", Unit.SECONDS, (TimesBetter(40),))


def measured(**values: float | str) -> Results:
    """Contestants' names with _ for the blank."""
    results = Results()
    for name, value in values.items():
        sample = value if isinstance(value, str) else Sample(value)
        results.add("copy", name.replace("_", " "), sample)
    return results


def cells(row: Row, results: Results) -> dict[str, str]:
    (line,) = lines([row], results)
    return dict(zip(HEADINGS, line, strict=True))


def test_ratios_of_times_are_to_the_best_of_rclones_modes() -> None:
    results = measured(davbridge=2.0, rclone_off=120.0, rclone_writes=100.0, rclone_tuned=60.0)
    found = cells(ROW, results)
    assert found["rclone, best of its modes"] == "100 s"
    assert found["ratio (to tuned)"] == "50 (30)"
    assert found["met"] == "yes"


def test_ratios_of_rates_are_inverse_to_those_of_times() -> None:
    row = Row("copy", "GET", Unit.MB_PER_SECOND, (TimesBetter(1.5), TimesBetter(0.7, "raw")))
    found = cells(row, measured(davbridge=600.0, rclone_off=300.0, rclone_writes=200.0, raw=1000.0))
    assert found["ratio (to tuned)"] == "2"
    assert found["share of raw"] == "60%"
    assert found["goal"] == "1.5 times rclone, 70% of raw"
    assert found["met"] == "no"


def test_a_wrong_answer_is_shown_and_meets_nothing() -> None:
    found = cells(ROW, measured(davbridge="3 members missing", rclone_off=100.0))
    assert found["davbridge"] == "wrong (3 members missing)"
    assert (found["ratio (to tuned)"], found["met"]) == ("", "")


def test_a_peer_that_fails_is_not_the_best() -> None:
    assert best_of([Figure(None, "500"), Figure(3.0)], Unit.SECONDS) == Figure(3.0)
    assert best_of([Figure(None, "500")], Unit.SECONDS) == Figure(None, "500")
    assert best_of([], Unit.SECONDS) is None


def test_the_figure_is_the_median_and_one_failure_spoils_it() -> None:
    three = [Sample(9.0), Sample(1.0, requests=5), Sample(2.0, "said so", 7, 3)]
    assert figure(three) == Figure(2.0, "said so", 7, 3, times=3)
    assert figure([*three, "412"]) == Figure(None, "412", times=4)


def test_bounds_apply_to_the_figure_and_to_the_round_trips() -> None:
    row = Row("copy", "memory", Unit.MIB, (AtMost(90, Unit.MIB), InARow(3)))
    for memory, rounds, met in ((90.0, 3, "yes"), (91.0, 3, "no"), (90.0, 4, "no")):
        results = Results()
        results.add("copy", "davbridge", Sample(memory, rounds=rounds))
        assert cells(row, results)["met"] == met


def test_a_share_of_the_work_is_scaled_and_said() -> None:
    assert scaled(Sample(2.0, "", 10, 5, 0.5), 100, 1000) == Sample(
        20.0, "100 measured, times 10", 100, 50, 5.0
    )
    assert scaled(Sample(2.0), 100, 100) == Sample(2.0)


def test_a_time_ends_when_s3_has_what_was_written() -> None:
    assert late(Sample(1.0), 5.0) == Sample(6.0, "S3 had it 5.0 s after the answer")
    assert late(Sample(1.0), 0.0) == Sample(1.0)


def test_results_survive_a_file_and_markdown_is_one_line_a_row() -> None:
    results = measured(davbridge=1.0, rclone_off="a|b")
    again = Results.from_json({r: dict(c) for r, c in results.as_json().items()})
    assert again == results
    table = markdown([ROW], again)
    assert table.count("\n") == 3
    assert "a\\|b" in table
