"""The soak's command line, inside the tests' environment: what runs, how long, and what came of it.

Scenarios run one after the other on one SeaweedFS, so that their figures are their own.
"""

import argparse
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from davbridge.errors import StoreSetupError
from davbridge.store.embedded import EmbeddedStore
from tests.endurance.base import Ground, Result, Scenario
from tests.endurance.scenarios import SCENARIOS
from tests.support.endpoints import Endpoint
from tests.support.program import list_of, run, tell

SEED = 1


class Outcome(NamedTuple):
    """A row of the table."""

    name: str
    promise: str
    result: Result
    seconds: float


def main(arguments: Sequence[str], scenarios: Sequence[Scenario[Any]] = SCENARIOS) -> int:
    options = _options(arguments, [each.name for each in scenarios])
    chosen = [each for each in scenarios if each.name in options.only]
    forget_the_users_aws()
    tell(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="davbridge-soak-", dir=options.folder) as folder:
        try:
            outcomes = _run_all(chosen, Path(folder), options)
        except StoreSetupError as error:
            tell(str(error))
            return 2
    sys.stdout.write(table(outcomes))
    return 1 if any(each.result.broken for each in outcomes) else 0


def forget_the_users_aws() -> None:
    """Keeps the user's own settings out of the servers under test, and them out of his AWS."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "DAVBRIDGE_"))]:
        del os.environ[name]
    os.environ |= {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _run_all(
    scenarios: Iterable[Scenario[Any]], folder: Path, options: argparse.Namespace
) -> list[Outcome]:
    with EmbeddedStore.start(folder / "seaweedfs") as weed:
        store = Endpoint(weed.endpoint_url, weed.access_key, weed.secret_key, weed.region)
        return [_run(each, store, folder / each.name, options) for each in scenarios]


def _run(
    scenario: Scenario[Any], store: Endpoint, folder: Path, options: argparse.Namespace
) -> Outcome:
    folder.mkdir()
    tell(f"{scenario.name}: {scenario.promise}")
    began_at = time.monotonic()
    ends_at = began_at + 60 * options.minutes
    ground = Ground(store, folder, options.seed, _teller(scenario.name), ends_at)
    try:
        result = scenario.run(ground, scenario.short if options.short else scenario.long)
    except Exception as error:
        traceback.print_exc()
        result = Result({}, (" ".join(f"{type(error).__name__}: {error}".split()),))
    for each in result.broken:
        tell(f"{scenario.name}: BROKEN: {each}")
    outcome = Outcome(scenario.name, scenario.promise, result, time.monotonic() - began_at)
    tell(line(outcome))
    return outcome


def line(outcome: Outcome) -> str:
    """A row of Markdown."""
    figures = [f"{name}: {value}" for name, value in outcome.result.figures.items()]
    broken = [each[:200] for each in outcome.result.broken[:3]]
    cells = (
        outcome.name,
        outcome.promise,
        "; ".join([*figures, f"{outcome.seconds:.0f} s"]),
        f"FAIL: {'; '.join(broken)}" if broken else "pass",
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def table(outcomes: Iterable[Outcome]) -> str:
    head = "| scenario | promise | figures | |\n|---|---|---|---|\n"
    return head + "".join(f"{line(each)}\n" for each in outcomes)


def _options(arguments: Sequence[str], names: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tests/soak.py",
        description="What davbridge promises, for as long as it takes to believe it.",
    )
    parser.add_argument(
        "--only", type=list_of(names), default=names, metavar="A,B", help=", ".join(names)
    )
    parser.add_argument("--short", action="store_true", help="as in tests/run.py: seconds each")
    parser.add_argument(
        "--minutes", type=float, default=inf, metavar="N", help="for each scenario at the most"
    )
    parser.add_argument("--seed", type=int, default=SEED, help="of all that is left to chance")
    parser.add_argument("--folder", type=Path, help="where the store may keep some 20 GB")
    return parser.parse_args(arguments)


def _teller(name: str) -> Callable[[str], None]:
    return lambda told: tell(f"{name}: {told}")


if __name__ == "__main__":
    run(main)
