"""From a fresh clone to a drive, as a stranger does it."""

import ast
import os
import runpy
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from davbridge import __version__
from tests.support.bridge import Client
from tests.support.process import TIMEOUT, running

ROOT = Path(__file__).parent.parent

NOT_CLONED = shutil.ignore_patterns(".git", ".venv*", ".*_cache", "__pycache__", "davbridge-data")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The tree as git has it, plus what isn't committed yet."""
    return Path(shutil.copytree(ROOT, tmp_path / "clone", ignore=NOT_CLONED))


def quickstart(clone: Path) -> list[str | Path]:
    return [sys.executable, clone / "deploy" / "quickstart.py"]


@pytest.mark.network
def test_a_fresh_clone_becomes_a_drive_and_has_the_files_again(clone: Path) -> None:
    command = [*quickstart(clone), "--port", "0"]
    # What a stranger has not: a path to the tree that these tests belong to.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with running(command, environ) as process:
        assert "installing" in process.errors()
        port = process.port
        client = Client(port, {})
        assert client("PROPFIND", "/", depth="0").status == 207
        assert client("PUT", "/kept.txt", b"kept").status == 201
        client.close()
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
        steps = process.rest()
        assert str(clone / "davbridge-data") in steps
        assert f"127.0.0.1:{port}/" in steps
        assert "Traceback" not in process.errors()
    with running(command, environ) as process:
        client = Client(process.port, {})
        assert client("GET", "/kept.txt").body == b"kept"
        client.close()
        taken = subprocess.run(
            [*quickstart(clone), "--port", str(process.port), "--embedded", clone / "other"],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert (taken.returncode, taken.stdout) == (2, "")
        assert "is in use" in taken.stderr
        assert taken.stderr.count("\n") == 1
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
        assert "installing" not in process.errors()
    for asked, answer in (("--help", "usage: davbridge serve"), ("--version", __version__)):
        done = subprocess.run(
            [*quickstart(clone), asked], capture_output=True, text=True, timeout=TIMEOUT, check=True
        )
        assert answer in done.stdout
        assert "Mount it" not in done.stdout


def refusal(clone: Path, preparation: str, *arguments: str) -> str:
    """What quickstart says, in one line, in a Python that ``preparation`` has changed."""
    script = clone / "deploy" / "quickstart.py"
    code = (
        f"import sys, runpy; {preparation}; sys.argv = ['quickstart', *{arguments!r}];"
        f" runpy.run_path({str(script)!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    *before, last = done.stderr.splitlines()
    assert all(line.startswith("davbridge: installing into ") for line in before)
    return last


def test_an_old_python_is_reported(clone: Path) -> None:
    line = refusal(clone, "sys.version_info = (3, 9, 2)")
    assert line == "davbridge: Python 3.11 or newer is needed, and this is 3.9"


def test_a_missing_venv_is_reported_with_its_package(clone: Path) -> None:
    line = refusal(clone, "sys.modules['ensurepip'] = None")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert line == f"davbridge: Python's venv is missing: apt install python{version}-venv"


def test_a_platform_without_the_embedded_store_is_reported(clone: Path) -> None:
    line = refusal(clone, "import platform; platform.machine = lambda: 'riscv64'")
    assert "the embedded store has no build for" in line
    assert "riscv64" in line


@pytest.mark.parametrize(
    "script", ["deploy/quickstart.py", "deploy/locked_venv.py", "tests/run.py"]
)
def test_an_old_python_can_read_the_scripts(script: str) -> None:
    ast.parse((ROOT / script).read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize(
    ("given", "passed_on"),
    [
        ([], ["--embedded", "DATA", "--anonymous"]),
        (["--port", "1"], ["--embedded", "DATA", "--anonymous", "--port", "1"]),
        (["--embedded", "/d"], ["--embedded", "/d", "--anonymous"]),
        (["--embedded"], ["--embedded", "DATA", "--anonymous"]),
        (["--embedded=/d", "--anonymous"], ["--embedded", "/d", "--anonymous"]),
        (["--user", "ada"], ["--embedded", "DATA", "--user", "ada"]),
        (["--config", "f", "--port", "1"], ["--config", "f", "--port", "1"]),
    ],
)
def test_arguments_are_passed_on_and_count_more_than_the_usual_ones(
    given: list[str], passed_on: list[str]
) -> None:
    script = runpy.run_path(str(ROOT / "deploy" / "quickstart.py"))
    arguments = script["start_of"](given).arguments
    assert arguments == [str(script["DATA"]) if part == "DATA" else part for part in passed_on]


@pytest.mark.parametrize(
    ("platform", "user", "expected"),
    [
        ("darwin", "", "Cmd-K, enter http://127.0.0.1:8080/ and connect as Guest."),
        ("darwin", "ada", "Cmd-K, enter http://127.0.0.1:8080/ and connect as the user ada."),
        ("win32", "", "net use * http://127.0.0.1:8080/\n"),
        ("win32", "ada", "net use * http://127.0.0.1:8080/ /user:ada *\n"),
        ("linux", "", "connect to dav://127.0.0.1:8080/"),
        ("linux", "", "mount -t davfs http://127.0.0.1:8080/ /mnt   (an empty user name"),
        ("linux", "ada", "mount -t davfs http://127.0.0.1:8080/ /mnt   (as ada, with"),
        ("linux", "", "\":webdav,url='http://127.0.0.1:8080/',vendor=owncloud:\""),
        ("linux", "ada", "',vendor=owncloud,user=ada,pass=$(rclone obscure PASSWORD):\""),
        ("linux", None, "',vendor=owncloud,user=NAME,pass=$(rclone obscure PASSWORD):\""),
    ],
)
def test_the_next_steps_are_those_of_the_system_and_of_who_may_log_in(
    monkeypatch: pytest.MonkeyPatch, platform: str, user: str | None, expected: str
) -> None:
    script = runpy.run_path(str(ROOT / "deploy" / "quickstart.py"))
    monkeypatch.setattr(sys, "platform", platform)
    start = script["Start"]([], Path("/data"), user)
    steps = script["next_steps"]("davbridge is ready: http://127.0.0.1:8080/", start)
    assert expected in steps
    assert "/data" in steps


@pytest.mark.parametrize(
    ("given", "user"),
    [
        ([], ""),
        (["--anonymous"], ""),
        (["--user", "ada"], "ada"),
        (["--config", "f"], None),
        (["--config", "f", "--user", "ada"], "ada"),
        (["--config", "f", "--anonymous"], ""),
    ],
)
def test_the_next_steps_know_who_may_log_in(given: list[str], user: str | None) -> None:
    script = runpy.run_path(str(ROOT / "deploy" / "quickstart.py"))
    assert script["start_of"](given).user == user
