"""The benchmark's command line, inside the tests' environment: who is measured, in which order.

Contestants take turns within a repetition, so that whatever else the machine does hits all alike.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from davbridge.errors import StoreSetupError
from tests.bench import report
from tests.bench.answers import WrongAnswerError
from tests.bench.bench import Bench, open_bench
from tests.bench.peers import DAVBRIDGE, RCLONES, WSGIDAV, ServerError
from tests.bench.report import LIMIT, Results
from tests.bench.scenarios import NAMES, scenarios
from tests.bench.scenarios.base import Measured, Scenario
from tests.bench.sizes import FULL, QUICK
from tests.support.program import list_of, run, tell

ENOUGH = 60.0
"""Seconds that a contestant may take in a scenario to be asked again."""

_FAILURES = (WrongAnswerError, ServerError, OSError, BotoCoreError, ClientError)

CONTESTANTS = (*map(str, (DAVBRIDGE, *RCLONES, WSGIDAV)), LIMIT)


class _Turn(NamedTuple):
    scenario: Scenario
    contestant: str
    measure: Callable[[Bench], Measured]


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    sizes = QUICK if options.quick else FULL
    chosen = [each for each in scenarios(sizes) if each.name in options.only]
    results = _earlier(options.others_from)
    began_at = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="davbridge-bench-", dir=options.folder) as folder:
        try:
            with open_bench(Path(folder), sizes) as bench:
                for scenario in chosen:
                    _run(bench, scenario, options.contestants, results)
                    _write(options, chosen, results)
        except StoreSetupError as error:
            tell(str(error))
            return 2
    rows = [row for each in chosen for row in each.rows]
    sys.stdout.write(report.terminal(rows, results))
    tell(f"took {time.monotonic() - began_at:.0f} s")
    return 0


def _run(bench: Bench, scenario: Scenario, contestants: Iterable[str], results: Results) -> None:
    turns = [turn for turn in _turns(scenario) if turn.contestant in contestants]
    for row in scenario.rows:
        for turn in turns:
            results.samples.get(row.key, {}).pop(turn.contestant, None)
    tell(f"{scenario.name}: filling the store")
    scenario.prepare(bench)
    for repetition in range(bench.sizes.repetitions):
        for turn in list(turns):
            start = time.monotonic()
            tell(f"{scenario.name}: {turn.contestant}, {repetition + 1}")
            is_well = _take(bench, turn, results)
            if not is_well or time.monotonic() - start > ENOUGH:
                turns.remove(turn)


def _turns(scenario: Scenario) -> list[_Turn]:
    served = [
        _Turn(scenario, peer.name, partial(scenario.measure, peer=peer)) for peer in scenario.peers
    ]
    return [*served, _Turn(scenario, LIMIT, scenario.measure_limit)]


def _take(bench: Bench, turn: _Turn, results: Results) -> bool:
    """Measures once; a wrong answer is the result of all rows that it left without one."""
    left = [row.key for row in turn.scenario.rows]
    try:
        for key, sample in turn.measure(bench):
            results.add(key, turn.contestant, sample)
            left.remove(key)
            tell(f"    {key}: {sample.value:.4g} {sample.note}")
    except _FAILURES as error:
        for key in left:
            results.add(key, turn.contestant, str(error))
        tell(f"    {turn.contestant} fails: {error}")
        return False
    return True


def _earlier(path: Path | None) -> Results:
    return Results.from_json(json.loads(path.read_text("utf-8"))) if path else Results()


def _write(options: argparse.Namespace, chosen: Sequence[Scenario], results: Results) -> None:
    """After each scenario: a long run shows what it has."""
    if options.json:
        options.json.write_text(json.dumps(results.as_json()), "utf-8")
    if options.markdown:
        rows = [row for each in chosen for row in each.rows]
        options.markdown.write_text(report.markdown(rows, results) + _about(options), "utf-8")


def _about(options: argparse.Namespace) -> str:
    earlier = ", those not measured now from an earlier run" if options.others_from else ""
    size = "quick" if options.quick else "full"
    when = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    busy = f"{os.cpu_count()} cores, load average {os.getloadavg()[1]:.1f}"
    return f"\n{when} UTC, {size}{earlier}; {platform.system()}, {busy}.\n"


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tests/bench/run.py",
        description="davbridge beside rclone serve webdav, and the raw limits, on one SeaweedFS.",
    )
    parser.add_argument(
        "--only", type=list_of(NAMES), default=NAMES, metavar="A,B", help=", ".join(NAMES)
    )
    parser.add_argument(
        "--contestants",
        type=list_of(CONTESTANTS),
        default=CONTESTANTS,
        metavar="A,B",
        help=", ".join(CONTESTANTS),
    )
    parser.add_argument("--quick", action="store_true", help="one repetition, less of the slow")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="the table; grows as it goes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all samples")
    parser.add_argument(
        "--others-from", type=Path, metavar="FILE", help="samples of an earlier run's --json"
    )
    parser.add_argument("--folder", type=Path, help="where the store may keep some 10 GB")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    run(main)
