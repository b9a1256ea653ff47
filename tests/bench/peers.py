"""The servers that are compared, each as its makers would have it run.

Owns their command lines. Must not know how they are started, nor what they are asked.
"""

import os
import shutil
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.endpoints import Endpoint


class ServerError(Exception):
    """A server doesn't start, or isn't installed; ``str(error)`` says which."""


@dataclass(frozen=True)
class Place:
    """What a server is to serve, and where it may write."""

    endpoint: Endpoint
    bucket: str
    folder: Path

    @property
    def credentials(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self.endpoint.access_key,
            "AWS_SECRET_ACCESS_KEY": self.endpoint.secret_key,
        }


Command = Callable[[Place], list[str]]


@dataclass(frozen=True)
class Peer:
    """One way to run one server."""

    name: str
    command: Command
    ready: str
    """A pattern for the line in its log that tells the port."""
    environment: Callable[[Place], Mapping[str, str]] = field(default=lambda place: {})

    def __str__(self) -> str:
        return self.name


def _davbridge(place: Place) -> list[str]:
    endpoint = place.endpoint
    command = [sys.executable, "-m", "davbridge", "serve", place.bucket, "--port", "0"]
    return [*command, "--endpoint-url", endpoint.url, "--region", endpoint.region, "--anonymous"]


def _rclone(*flags: str) -> Command:
    def command(place: Place) -> list[str]:
        program = shutil.which("rclone", path=search_path())
        if program is None:
            raise ServerError("rclone isn't installed")
        store = [
            f"--s3-endpoint={place.endpoint.url}",
            f"--s3-region={place.endpoint.region}",
            "--s3-provider=SeaweedFS",
            "--s3-env-auth",
            f"--cache-dir={place.folder / 'rclone-cache'}",
        ]
        served = [program, "serve", "webdav", f":s3:{place.bucket}", "--addr=127.0.0.1:0"]
        return [*served, *store, *flags]

    return command


def _hello(*flags: str) -> Command:
    return lambda place: [sys.executable, "-m", "tests.bench.hello", *flags]


def _stock(place: Place) -> list[str]:
    share = place.folder / "share"
    share.mkdir()
    (share / "file.bin").write_bytes(b"x" * 1024)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "wsgidav.server.server_cli", "--no-config", "--auth=anonymous"]
    return [*command, f"--root={share}", "--host=127.0.0.1", f"--port={port}"]


def _aws(place: Place) -> Mapping[str, str]:
    return place.credentials


def _aws_for_rclone(place: Place) -> Mapping[str, str]:
    return {**place.credentials, "RCLONE_CONFIG": os.devnull}


TUNED = (
    "--vfs-cache-mode=off",
    "--use-server-modtime",
    "--checkers=32",
    "--transfers=32",
    "--fast-list",
    # A request less for each object written and each one read.
    "--s3-no-head",
    "--s3-no-head-object",
    "--s3-no-check-bucket",
    "--s3-upload-concurrency=8",
)
"""What rclone's documents offer to whoever wants it fast and can do without its safety."""

_RCLONE_READY = r"started on \[http://127\.0\.0\.1:(\d+)/"

DAVBRIDGE = Peer("davbridge", _davbridge, r"is ready: http://127\.0\.0\.1:(\d+)/", _aws)
RCLONE_OFF = Peer("rclone off", _rclone("--vfs-cache-mode=off"), _RCLONE_READY, _aws_for_rclone)
RCLONE_WRITES = Peer(
    "rclone writes", _rclone("--vfs-cache-mode=writes"), _RCLONE_READY, _aws_for_rclone
)
RCLONE_TUNED = Peer("rclone tuned", _rclone(*TUNED), _RCLONE_READY, _aws_for_rclone)
WSGIDAV = Peer("WsgiDAV", _stock, r"Serving on http://127\.0\.0\.1:(\d+)")
HELLO = Peer("hello", _hello(), r"is ready: http://127\.0\.0\.1:(\d+)/")
HELLO_PINNED = Peer("hello, one core", _hello("--pin"), HELLO.ready)

RCLONES = (RCLONE_OFF, RCLONE_WRITES, RCLONE_TUNED)


def search_path() -> str:
    """Wheels install their programs beside the interpreter."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
