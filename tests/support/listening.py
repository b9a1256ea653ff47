"""What a process and those that it started listen on, as Linux tells in /proc."""

from pathlib import Path
from typing import NamedTuple

LISTENS_TCP = "0A"
LISTENS_UNIX = 0x10000
"""The flag __SO_ACCEPTCON."""


class Address(NamedTuple):
    """Where TCP or UDP arrives; ``host`` as the kernel writes it."""

    host: str
    port: int


class Listening(NamedTuple):
    tcp: set[Address]
    udp: set[Address]
    unix: set[str]
    """Absolute paths; a name without a file begins with ``@``."""


def listening(pid: int) -> Listening:
    """Of the process ``pid`` and all its descendants."""
    family = descendants(pid)
    sockets = {
        target
        for process in family
        for fd in Path(f"/proc/{process}/fd").iterdir()
        if (target := str(fd.readlink())).startswith("socket:")
    }
    return Listening(
        tcp=_bound("tcp", sockets, LISTENS_TCP),
        udp=_bound("udp", sockets, None),
        unix={path for process in family for path in _unix(process, sockets)},
    )


def descendants(pid: int) -> set[int]:
    """``pid`` and all that came of it."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    family, new = set(), [pid]
    while new:
        process = new.pop()
        family.add(process)
        new += children.get(process, [])
    return family


def _bound(protocol: str, sockets: set[str], state: str | None) -> set[Address]:
    found = set()
    for table in (f"/proc/net/{protocol}", f"/proc/net/{protocol}6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if f"socket:[{fields[9]}]" in sockets and state in (None, fields[3]):
                host, _, port = fields[1].partition(":")
                found.add(Address(host, int(port, 16)))
    return found


def _unix(process: int, sockets: set[str]) -> set[str]:
    directory = Path(f"/proc/{process}/cwd").readlink()
    found = set()
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split(maxsplit=7)
        if f"socket:[{fields[6]}]" in sockets and int(fields[3], 16) & LISTENS_UNIX:
            name = fields[7]
            found.add(name if name.startswith("@") else str(directory / name))
    return found
