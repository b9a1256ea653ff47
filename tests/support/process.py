"""davbridge as a process of its own, as a person or a script runs it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from tests.support.endpoints import Endpoint

TIMEOUT = 60.0
"""Seconds after which a process that should have ended or answered has failed the test."""


def environment(endpoint: Endpoint | None = None, /, **more: str) -> dict[str, str]:
    """This process' environment, with credentials for ``endpoint``."""
    environ = {**os.environ, **more}
    if endpoint is not None:
        environ["AWS_ACCESS_KEY_ID"] = endpoint.access_key
        environ["AWS_SECRET_ACCESS_KEY"] = endpoint.secret_key
    return environ


def run_davbridge(
    *arguments: str, environ: Mapping[str, str] | None = None, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Runs a command that ends by itself; ``given`` is its standard input."""
    return subprocess.run(
        [sys.executable, "-m", "davbridge", *arguments],
        input=given,
        capture_output=True,
        text=True,
        env=environ,
        timeout=TIMEOUT,
        check=False,
    )


class Process:
    """A server process: its first line on stdout has been read, and its stderr is being read."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._errors: list[str] = []
        self._drain = threading.Thread(target=self._read_errors, daemon=True)
        self._drain.start()
        self.ready_line = self._stream(process.stdout).readline()

    @property
    def url(self) -> str:
        """The last word of the line that says it is ready; without the slash at its end."""
        assert self.ready_line, self.errors()
        return self.ready_line.split()[-1].rstrip("/")

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, signum: int = signal.SIGTERM) -> None:
        self._process.send_signal(signum)

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        return self._process.wait(TIMEOUT)

    def rest(self) -> str:
        """What it printed after its first line."""
        return self._stream(self._process.stdout).read()

    def errors(self) -> str:
        """What it has said on stderr; all of it, once it has ended."""
        if self._process.poll() is not None:
            self._drain.join(TIMEOUT)
        return "".join(self._errors)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._drain.join(TIMEOUT)
        for stream in (self._process.stdout, self._process.stderr):
            self._stream(stream).close()

    def _read_errors(self) -> None:
        for line in self._stream(self._process.stderr):
            self._errors.append(line)

    @staticmethod
    def _stream(stream: IO[str] | None) -> IO[str]:
        assert stream is not None  # Popen was given pipes
        return stream


@contextmanager
def running(
    command: Sequence[str | Path], environ: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """A process that prints a line when it is ready. Ends with the context at the latest."""
    process = Process(
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environ,
        )
    )
    try:
        yield process
    finally:
        process.close()


@contextmanager
def running_davbridge(
    *arguments: str | Path, environ: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """``davbridge serve`` with these arguments, on a free port."""
    command = [sys.executable, "-m", "davbridge", "serve", "--port", "0", *arguments]
    with running(command, environ) as process:
        yield process
