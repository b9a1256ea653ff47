"""SeaweedFS, seen from outside: its process, what is in its files, and how it once was run."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from davbridge.store.embedded.folder import DataFolder
from davbridge.store.embedded.process import find_weed
from tests.support.endpoints import Endpoint
from tests.support.strangers import ask, tcp

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

INDEX_ENTRY = 17
"""Bytes: a key (8), an offset in units of 8 bytes (4, then 1 that counts most), a size (4)."""


def weed_of(folder: Path) -> int:
    """The process id of the SeaweedFS that works in ``folder``; 0 if there is none."""
    processes = subprocess.run(
        ["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=True
    )
    for line in processes.stdout.splitlines():
        pid, command = line.split(maxsplit=1)
        if f" -dir={folder}/data" in command and "watchdog" not in command:
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


def read_once_found(client: "S3Client", bucket: str, key: str) -> bytes:
    """On a busy machine SeaweedFS answers a little before it has found its volumes again."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] != "InternalError" or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


@contextmanager
def as_older_versions_ran_it(folder: Path) -> Iterator[tuple[Endpoint, dict[str, int]]]:
    """SeaweedFS without any security configuration, and with the keys in its environment."""
    with DataFolder(folder) as prepared:
        ports, (access_key, secret_key) = prepared.choose_ports(), prepared.credentials()
        command = [
            *(str(find_weed()), f"-logdir={prepared.log}", "mini", f"-dir={prepared.data}"),
            *("-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *(f"-{name}.port={port}" for name, port in ports.items()),
            *("-s3.port.iceberg=0", "-s3.port.lance=0", "-admin.ui=false", "-webdav=false"),
            *("-master.telemetry=false", "-volume.preStopSeconds=0"),
        ]
        keys = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}
        with (
            (prepared.log / "console.log").open("wb") as console,
            subprocess.Popen(
                command, cwd=prepared.data, env=os.environ | keys, stdout=console, stderr=console
            ) as process,
        ):
            try:
                endpoint = Endpoint(
                    f"http://127.0.0.1:{ports['s3']}", *prepared.credentials(), "us-east-1"
                )
                _wait_for(ports)
                yield endpoint, ports
            finally:
                process.terminate()


def _wait_for(ports: dict[str, int]) -> None:
    """Until every server answers; the administrator's is the last."""
    deadline = time.monotonic() + 60
    while not all(ask(tcp(port), "GET", "/") for port in ports.values()):
        assert time.monotonic() < deadline, "SeaweedFS doesn't come up"
        time.sleep(0.1)
