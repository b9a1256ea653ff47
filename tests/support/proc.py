"""What a process costs, as Linux tells of it (proc(5))."""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

MIB = 1024 * 1024


class Cost(NamedTuple):
    """At one moment."""

    threads: int
    sockets: int
    memory: int
    """Bytes resident."""

    def __str__(self) -> str:
        memory = f"{self.memory / MIB:.0f} MiB"
        return f"{self.threads} threads, {self.sockets} sockets, {memory}"


def cost_of(pid: int) -> Cost:
    return Cost(int(_status(pid, "Threads")), _sockets(pid), resident(pid))


def resident(pid: int) -> int:
    """Bytes."""
    return _kib(_status(pid, "VmRSS"))


def most_resident(pid: int) -> int:
    """Bytes, at the most so far."""
    return _kib(_status(pid, "VmHWM"))


def state_of(pid: int) -> str:
    """A letter: T for one that is stopped by a signal."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _kib(told: str) -> int:
    return int(told.split()[0]) * 1024


def _status(pid: int, field: str) -> str:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return value
    raise AssertionError(f"no {field}")


def _sockets(pid: int) -> int:
    count = 0
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            count += str(each.readlink()).startswith("socket:")
    return count
