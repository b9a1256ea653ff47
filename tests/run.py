"""All that must hold: ``python3 tests/run.py [arguments of pytest]``.

Needs Python alone: it makes an environment from the tests' lock file and, on a Debian machine
where it may, installs the WebDAV clients that the tests drive (GNOME's, KDE's and LibreOffice take
the most: 250 MB, some minutes, once). npm's client is installed by its test where Node.js is;
ffmpeg and Joplin are bigger, and left to whoever wants their tests to run. Then it checks style,
format and types, runs the tests, goes through all of them whatever fails, and exits 0 only if all
passed. Of tests/soak.py's scenarios it runs the short forms.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from deploy.locked_venv import LockedVenv, SetupError, tell  # noqa: E402

CLIENTS = {
    "litmus": ["litmus"],
    "cadaver": ["cadaver"],
    "curl": ["curl"],
    "git": ["git"],
    "mount.davfs": ["davfs2"],
    "gio": ["libglib2.0-bin"],
    "dbus-run-session": ["dbus-daemon"],
    "/usr/libexec/gvfsd-dav": ["gvfs", "gvfs-backends"],
    "davix-get": ["davix", "davix-dev"],
    "zsync": ["zsync"],
    "aria2c": ["aria2"],
    "duplicity": ["duplicity"],
    "restic": ["restic"],
    "kioclient5": ["kde-cli-tools", "kio"],
    "fusermount3": ["fuse3"],
    "soffice": ["libreoffice-writer-nogui", "python3-uno"],
}
"""Commands that tests use, and what they need of Debian's packages."""

SIDE_BY_SIDE = ["--numprocesses=auto", "--maxprocesses=4", "--dist=loadfile"]
"""Most tests wait for something. The tests of one file share servers, and stay together."""

# A user's PATH often lacks the folders where mount helpers are.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def main(arguments: list[str]) -> int:
    try:
        environment = LockedVenv(ROOT / ".venv-tests", ROOT / "tests" / "requirements.txt")
        environment.ensure()
    except SetupError as error:
        tell(str(error))
        return 2
    install_clients()
    checks = {
        "ruff check": ["ruff", "check", "."],
        "ruff format": ["ruff", "format", "--check", "."],
        "mypy": ["mypy"],
        "pytest": ["pytest", *SIDE_BY_SIDE, *arguments],
    }
    failed = [name for name, command in checks.items() if not passes(environment, name, command)]
    say(f"failed: {', '.join(failed)}" if failed else f"passed: {', '.join(checks)}")
    return 1 if failed else 0


def passes(environment: LockedVenv, name: str, command: list[str]) -> bool:
    say(name)
    # Tests find the programs that wheels installed (rclone) on PATH, as a person would.
    path = os.pathsep.join([str(environment.bin), SEARCH_PATH])
    done = subprocess.run(
        [str(environment.python), "-m", *command],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0


def install_clients() -> None:
    """Installs what is missing; without it, the tests that need it are skipped."""
    packages = missing_packages()
    if packages and may_install():
        say(f"apt-get install {' '.join(packages)}")
        apt_get("update")
        apt_get("install", "--yes", "--no-install-recommends", *packages)
        packages = missing_packages()
    if packages:
        say(f"missing, and what needs them is skipped: {' '.join(packages)}")


def missing_packages() -> list[str]:
    return [
        package
        for command, packages in CLIENTS.items()
        if shutil.which(command, path=SEARCH_PATH) is None
        for package in packages
    ]


def may_install() -> bool:
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return is_root and Path("/etc/debian_version").exists() and shutil.which("apt-get") is not None


def apt_get(*arguments: str) -> None:
    """One that fails leaves the packages missing, which is told where it matters."""
    subprocess.run(
        ["apt-get", "-q", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        check=False,
    )


def say(line: str) -> None:
    print(f"\n--- {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
