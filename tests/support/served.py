"""davbridge as a person runs it: the command line, in a process of its own, over a real store.

Invariant: a server that was not killed on purpose ends at SIGTERM with exit code 0, and has told
nothing but one line on stdout, and no traceback on stderr. Every test that runs one holds that.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.bridge import Client
from tests.support.buckets import Bucket

ROOT = Path(__file__).resolve().parent.parent.parent

READY = "davbridge is ready: "

START_SECONDS = 30.0
STOP_SECONDS = 45.0


class Served:
    """A running ``davbridge serve``. Made by `served`."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._process = process
        self._log = log
        self._is_told = False
        self._is_over = False
        self.url = self._ready().rstrip("/")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    @property
    def log(self) -> str:
        """What it has told on stderr."""
        return self._log.read_text("utf-8")

    @contextmanager
    def client(self, **headers: str) -> Iterator[Client]:
        """A keep-alive connection over plain HTTP."""
        client = Client(self.port, {name.replace("_", "-"): headers[name] for name in headers})
        try:
            yield client
        finally:
            client.close()

    def kill(self) -> None:
        """SIGKILL: as a crash of the machine would end it."""
        self._is_over = True
        self._process.kill()
        self._process.wait(STOP_SECONDS)

    def terminate(self) -> None:
        """SIGTERM: it finishes what is under way. Once is enough; a second one would cut it off."""
        if not self._is_told:
            self._is_told = True
            self._process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """SIGTERM, and what is promised of it; nothing where it is over."""
        if self._is_over:
            return
        self.terminate()
        rest, _ = self._process.communicate(timeout=STOP_SECONDS)
        self._is_over = True
        assert self._process.returncode == 0, self.log
        assert rest == ""
        assert "Traceback" not in self.log, self.log

    def _ready(self) -> str:
        """Waits for the line with the URL."""
        assert self._process.stdout is not None
        watchdog = threading.Timer(START_SECONDS, self._process.kill)
        watchdog.start()
        line = self._process.stdout.readline()
        watchdog.cancel()
        assert line.startswith(READY), (line, self.log)
        return line.removeprefix(READY).strip()


@contextmanager
def served(
    bucket: Bucket,
    folder: Path,
    *,
    prefix: str = "",
    flags: Sequence[str] = ("--anonymous",),
    settings: str = "",
    endpoint_url: str | None = None,
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = ("-m", "davbridge"),
) -> Iterator[Served]:
    """``davbridge serve`` on a free port; ``settings`` is the text of its configuration file.
    ``program``: what Python is to run instead."""
    config = folder / "davbridge.toml"
    config.write_text(settings)
    log = folder / "stderr"
    command = [sys.executable, *program, "serve", f"{bucket.name}/{prefix}".rstrip("/")]
    command += ["--endpoint-url", endpoint_url or bucket.endpoint.url, "--port", "0"]
    command += ["--region", bucket.endpoint.region, "--config", str(config), *flags]
    with (
        log.open("a") as stderr,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **_credentials(bucket), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        try:
            server = Served(process, log)
            yield server
            server.end()
        finally:
            if process.poll() is None:
                process.kill()


def _credentials(bucket: Bucket) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": bucket.endpoint.access_key,
        "AWS_SECRET_ACCESS_KEY": bucket.endpoint.secret_key,
    }
