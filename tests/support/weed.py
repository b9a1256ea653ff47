"""The SeaweedFS of an embedded store, seen from outside: its process, and what is in its files."""

import subprocess
from pathlib import Path

INDEX_ENTRY = 17
"""Bytes: a key (8), an offset in units of 8 bytes (4, then 1 that counts most), a size (4)."""


def weed_of(folder: Path) -> int:
    """The process id of the SeaweedFS that works in ``folder``; 0 if there is none."""
    processes = subprocess.run(
        ["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=True
    )
    for line in processes.stdout.splitlines():
        pid, command = line.split(maxsplit=1)
        if f" -dir={folder}/data" in command and "weed_guard" not in command:
            return int(pid)
    return 0


def needles(data: Path) -> list[str]:
    """The path on the volume server of each piece of a file that is kept in ``data``."""
    found = []
    for index in sorted(data.glob("*.idx")):
        volume = index.stem.rpartition("_")[2]
        content = index.with_suffix(".dat").read_bytes()
        entries = index.read_bytes()
        for start in range(0, len(entries), INDEX_ENTRY):
            entry = entries[start : start + INDEX_ENTRY]
            key = int.from_bytes(entry[:8])
            offset = 8 * (int.from_bytes(entry[8:12]) + (entry[12] << 32))
            cookie = content[offset : offset + 4].hex()
            found.append(f"/{volume},{key:x}{cookie}")
    return found
