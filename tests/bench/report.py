"""The table: what each row's contestants reached, and whether davbridge met its goals.

Arithmetic and text only. ``rclone`` in a goal is the best of rclone's cache modes as they are by
default; the tuned one stands beside.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.bench.measures import Figure, Row, Sample, Standing, Unit, figure, times_better

MINE = "davbridge"
DEFAULTS = ("rclone off", "rclone writes")
TUNED = "rclone tuned"
LIMIT = "raw"
STOCK = "WsgiDAV"

HEADINGS = (
    "work",
    "davbridge",
    "rclone, best of its modes",
    "rclone tuned",
    "ratio (to tuned)",
    "raw limit",
    "share of raw",
    "goal",
    "met",
)

Samples = dict[str, dict[str, list[Sample | str]]]
"""By row, and by contestant; a text is how it failed."""


@dataclass(frozen=True)
class Results:
    """All that was measured."""

    samples: Samples = field(default_factory=dict)

    def add(self, row: str, contestant: str, sample: Sample | str) -> None:
        self.samples.setdefault(row, {}).setdefault(contestant, []).append(sample)

    def standing(self, row: Row) -> Standing | None:
        """None where davbridge wasn't measured."""
        figures = {name: figure(each) for name, each in self.samples.get(row.key, {}).items()}
        if MINE not in figures:
            return None
        best = best_of((figures[name] for name in DEFAULTS if name in figures), row.unit)
        others = figures | ({"rclone": best} if best else {})
        return Standing(row.unit, figures[MINE], others)

    def as_json(self) -> dict[str, Any]:
        return self.samples

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Results":
        return cls(
            {
                row: {
                    name: [each if isinstance(each, str) else Sample(*each) for each in samples]
                    for name, samples in contestants.items()
                }
                for row, contestants in content.items()
            }
        )


def best_of(figures: Iterable[Figure], unit: Unit) -> Figure | None:
    """A failure only where all have failed."""
    figures = list(figures)
    good = [each for each in figures if each.value is not None]
    if not good:
        return figures[0] if figures else None
    return (max if unit.more_is_better else min)(good, key=lambda each: each.value or 0)


def lines(rows: Sequence[Row], results: Results) -> list[list[str]]:
    """The table's cells, without its headings."""
    standings = ((row, results.standing(row)) for row in rows)
    return [_line(row, standing) for row, standing in standings if standing]


def _line(row: Row, standing: Standing) -> list[str]:
    others, unit = standing.others, row.unit
    rclone, tuned, limit = (others.get(name) for name in ("rclone", TUNED, LIMIT))
    verdicts = [goal.is_met(standing) for goal in row.goals]
    stock = others.get(STOCK)
    work = f"{row.title} (WsgiDAV: {_value(stock, unit)})" if stock else row.title
    return [
        work,
        _cell(standing.mine, unit),
        _cell(rclone, unit),
        _cell(tuned, unit),
        _ratios(standing),
        _cell(limit, unit),
        _share(standing.mine, limit, unit),
        ", ".join(map(str, row.goals)),
        _verdict(verdicts),
    ]


def _verdict(verdicts: list[bool | None]) -> str:
    if False in verdicts:
        return "no"
    return "yes" if True in verdicts else ""


def _ratios(standing: Standing) -> str:
    if standing.unit in (Unit.MIB, Unit.ROUND_TRIPS):
        return ""
    to_default, to_tuned = (standing.times_better_than(name) for name in ("rclone", TUNED))
    told = f"{to_default:.3g}" if to_default else ""
    return f"{told} ({to_tuned:.3g})".strip() if to_tuned else told


def _share(mine: Figure, limit: Figure | None, unit: Unit) -> str:
    if mine.value is None or limit is None or limit.value is None or unit is Unit.ROUND_TRIPS:
        return ""
    return f"{times_better(mine.value, limit.value, unit):.0%}"


def _cell(each: Figure | None, unit: Unit) -> str:
    if each is None:
        return ""
    beside = [each.note] if each.note else []
    if each.requests and each.rounds:
        beside.append(f"{each.requests:,} requests, {each.rounds:,} in a row")
    if each.cpu:
        beside.append(f"{_rounded(each.cpu)} s CPU")
    return f"{_value(each, unit)} ({'; '.join(beside)})" if beside else _value(each, unit)


def _value(each: Figure | None, unit: Unit) -> str:
    if each is None:
        return ""
    if each.value is None:
        return "wrong"
    return f"{_rounded(each.value)} {unit.value}"


def _rounded(value: float) -> str:
    """Three digits, since no more than that comes out twice."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def markdown(rows: Sequence[Row], results: Results) -> str:
    table = [list(HEADINGS), ["---"] * len(HEADINGS), *lines(rows, results)]
    return "".join(f"| {' | '.join(map(_escaped, cells))} |\n" for cells in table)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def terminal(rows: Sequence[Row], results: Results) -> str:
    """A block for each row: the table is too wide for one."""
    blocks = []
    for work, *cells in lines(rows, results):
        told = zip(HEADINGS[1:], cells, strict=True)
        inside = "".join(f"  {name + ':':<27}{cell}\n" for name, cell in told if cell)
        blocks.append(f"{work}\n{inside}")
    return "\n".join(blocks)
