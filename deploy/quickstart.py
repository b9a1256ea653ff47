"""From a fresh clone to a drive: ``python3 deploy/quickstart.py``.

Owns the way there: an environment from the lock file, ``davbridge serve`` on this machine alone,
and the words about what to do next. Extra arguments go to ``davbridge serve``. Only the standard
library; must not know how davbridge works.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple, NoReturn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from deploy.locked_venv import LockedVenv, SetupError, require_python, tell  # noqa: E402

DATA = ROOT / "davbridge-data"

STORE_PLATFORMS = {
    ("linux", "x86_64"),
    ("linux", "aarch64"),
    ("darwin", "arm64"),
    ("win32", "amd64"),
}
"""Where the embedded store has a wheel, as sys.platform and platform.machine() say it."""

MOUNT = {
    "darwin": """\
In Finder press Cmd-K, enter {url} and connect as {guest}.""",
    "win32": """\
In a command prompt:  net use * {url}{windows_user}
(If "net use" finds no network, start Windows' client for it once:  sc start WebClient)
Windows refuses files over 50 MB until an administrator's prompt has said:
  reg add HKLM\\SYSTEM\\CurrentControlSet\\Services\\WebClient\\Parameters ^
    /v FileSizeLimitInBytes /t REG_DWORD /d 0xffffffff /f
  net stop WebClient & net start WebClient""",
    "linux": """\
GNOME Files:  Other Locations, then connect to {dav_url}
davfs2:       sudo mount -t davfs {url} /mnt   ({login})
rclone:       rclone mount ":webdav,url='{url}',vendor=owncloud{rclone_user}:" ~/drive""",
}


class Start(NamedTuple):
    """What is started, and what the next steps depend on."""

    arguments: list[str]
    """Of davbridge."""
    data: Path | None
    """The embedded store's folder, if one will be used."""
    user: str | None
    """Who may log in: empty for everybody, None where the configuration file says."""


def main(arguments: list[str]) -> int:
    try:
        require_python()
        start = start_of(arguments)
        if start.data:
            require_store_platform()
        environment = LockedVenv(ROOT / ".venv-quickstart", ROOT / "deploy" / "requirements.txt")
        environment.ensure()
    except SetupError as error:
        tell(str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    command = [str(environment.python), "-m", "davbridge"]
    if "--version" in arguments:
        return subprocess.run([*command, "--version"], check=False).returncode
    command += ["serve", *start.arguments]
    if not {"-h", "--help"}.isdisjoint(arguments):
        print("Sets davbridge up in this folder, and starts it with these arguments:", flush=True)
        return subprocess.run(command, check=False).returncode
    return run(command, start) if sys.platform == "win32" else become(command, start)


def start_of(arguments: list[str]) -> Start:
    """Ours are left out where the person's choose otherwise."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config")
    parser.add_argument("--user")
    parser.add_argument("--anonymous", action="store_true")
    parser.add_argument("--embedded", nargs="?")
    chosen, rest = parser.parse_known_args(arguments)
    user = "" if chosen.anonymous else chosen.user
    if chosen.config:
        return Start(arguments, None, user)
    data = Path(chosen.embedded).resolve() if chosen.embedded else DATA
    who = ["--user", chosen.user] if chosen.user else ["--anonymous"]
    return Start(["--embedded", str(data), *who, *rest], data, user or "")


def require_store_platform() -> None:
    """Raises SetupError where there is no wheel of the embedded store."""
    machine = platform.machine().lower()
    if (sys.platform, machine) in STORE_PLATFORMS:
        return
    which = "Intel Macs" if sys.platform == "darwin" else f"{sys.platform} on {machine}"
    raise SetupError(
        f"the embedded store has no build for {which}: pip install {ROOT} into an environment of"
        " your own, and name a bucket of an S3 store: davbridge serve BUCKET"
    )


def become(command: list[str], start: Start) -> NoReturn:
    """Turns this process into davbridge, so that signals, and what kills it, reach the server.

    Its line on stdout goes to a child, which adds the next steps and is gone.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        try:
            # Forked once more, and left to the system: davbridge knows of no child to wait for.
            if os.fork() == 0:
                with os.fdopen(reading) as lines:
                    announce(lines.readline(), start)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.dup2(writing, sys.stdout.fileno())
    os.execv(command[0], command)


def run(command: list[str], start: Start) -> int:
    """Runs davbridge where no process can turn into another, and gives its exit code."""
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None  # it was asked for
    while True:
        try:
            announce(server.stdout.readline(), start)
            return server.wait()
        except KeyboardInterrupt:
            continue  # the console has told the server as well, which is about to end


def announce(ready: str, start: Start) -> None:
    """Nothing is said where davbridge ended before it was ready: its own words are on stderr."""
    if ready:
        print(next_steps(ready.strip(), start), flush=True)


def next_steps(ready: str, start: Start) -> str:
    """What a person does with a drive whose URL is the last word of ``ready``."""
    url = ready.split()[-1]
    user = "NAME" if start.user is None else start.user
    words = {
        "url": url,
        "dav_url": url.replace("http", "dav", 1),
        "guest": f"the user {user}" if user else "Guest",
        "windows_user": f" /user:{user} *" if user else "",
        "login": f"as {user}, with the password" if user else "an empty user name and password",
        "rclone_user": f",user={user},pass=$(rclone obscure PASSWORD)" if user else "",
    }
    mount = MOUNT.get(sys.platform, MOUNT["linux"]).format(**words)
    lines = [ready, "", "Mount it:", *("  " + line for line in mount.splitlines()), ""]
    if start.data:
        lines.append(f"Your files are kept in {start.data}, also when davbridge is stopped.")
    lines.append("Ctrl-C stops it; the same command starts it again.")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
