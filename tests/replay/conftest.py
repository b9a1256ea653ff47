"""Runs every replay case against davbridge, and against stock WsgiDAV as well.

What a case says of stock WsgiDAV is part of it: ``stock_fails(why)`` on a case that stock WsgiDAV
must fail, nothing on one that it must pass; ``stock_fails(why, "a-*", "b")`` means only parameters
with such ids. A case that is marked and yet passes there has no teeth, and is red. The table of
what it fails is printed when the tests are through.

The numbers in the cases' names are only names: each stands for one conversation of a client
(``finder_04``), or for one thing that several clients rely on (``rule_08``).
"""

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from tests.replay.drives import BridgeDrive, Drive, OpenDrive, Options
from tests.replay.stock import StockDrive

BRIDGE, STOCK = "davbridge", "stock"

HERE = Path(__file__).parent


@pytest.fixture
def server(request: pytest.FixtureRequest) -> str:
    """Which of the two a case is run against."""
    name: str = request.param
    return name


@pytest.fixture
def open_drive(request: pytest.FixtureRequest, server: str, tmp_path: Path) -> Iterator[OpenDrive]:
    """Opens drives with the users and the settings that a case needs."""
    with ExitStack() as stack:

        def open_one(users: tuple[str, ...] = (), **settings: Any) -> Drive:
            options = Options(users, settings)
            drive = stock(options) if server == STOCK else BridgeDrive(options)
            stack.callback(drive.close)
            return drive

        def stock(options: Options) -> Drive:
            must_fail = _declared_failure(request.node) is not None
            return StockDrive(options, tmp_path, must_fail=must_fail)

        yield open_one


@pytest.fixture
def drive(open_drive: OpenDrive) -> Drive:
    """A drive without users."""
    return open_drive()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "stock_fails(why, *ids): stock WsgiDAV must fail this case")
    config.addinivalue_line("markers", "bridge_only(why): stock WsgiDAV can't be asked this")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server" in metafunc.fixturenames:
        is_shared = metafunc.definition.get_closest_marker("bridge_only") is None
        metafunc.parametrize("server", [BRIDGE, STOCK] if is_shared else [BRIDGE], indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not isinstance(item, pytest.Function) or HERE not in item.path.parents:
            continue
        if _is_stock(item):
            # Files and sockets that it forgets to close are its own affair.
            for kind in ("ResourceWarning", "pytest.PytestUnraisableExceptionWarning"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{kind}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call" and _is_stock(item):
        _judge(item, report)
    return report


def _judge(item: pytest.Item, report: pytest.TestReport) -> None:
    """A declared failure of stock WsgiDAV is what the case promised; its absence is a failure."""
    why = _declared_failure(item)
    case = report.nodeid.removeprefix("tests/replay/").partition("[")[0]
    parameters = _parameters(item)
    case += f"[{parameters}]" if parameters else ""
    # It goes with the report, as the case may be run by another process than that which tells.
    report.user_properties.append((STOCK, (case, why if report.failed else None)))
    if why and report.failed:
        report.outcome, report.longrepr = "passed", None
    elif why and report.passed:
        report.outcome = "failed"
        report.longrepr = f"stock WsgiDAV passes this case: it has no teeth ({why})"


def _declared_failure(item: pytest.Item) -> str | None:
    """Why stock WsgiDAV must fail the case; None where it must pass."""
    for marker in item.iter_markers("stock_fails"):
        why, *ids = marker.args
        if not ids or any(fnmatchcase(_parameters(item), each) for each in ids):
            return str(why)
    return None


def _parameters(item: pytest.Item) -> str:
    """The id of the case's own parameters."""
    assert isinstance(item, pytest.Function)
    own = item.callspec.id.removeprefix(STOCK).removesuffix(STOCK)
    return own.strip("-") if own != item.callspec.id else own.replace(f"-{STOCK}-", "-")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    stats = terminalreporter.stats
    properties = [
        each
        for report in (*stats.get("passed", ()), *stats.get("failed", ()))
        for each in report.user_properties
    ]
    outcomes: dict[str, str | None] = dict(told for name, told in properties if name == STOCK)
    failed = {case: why for case, why in outcomes.items() if why is not None}
    if outcomes:
        terminalreporter.section("replay")
        total = len(outcomes)
        terminalreporter.line(f"stock WsgiDAV fails {len(failed)} of {total} cases:")
    for case, why in failed.items():
        terminalreporter.line(f"  {case}: {why}")


def _is_stock(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    return callspec is not None and callspec.params.get("server") == STOCK
