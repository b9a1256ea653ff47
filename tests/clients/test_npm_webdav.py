"""A day's work with webdav 5, npm's client, on which Obsidian and many web applications build."""

import base64
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.drive import Home
from tests.support.names import NAMES
from tests.support.programs import LIMIT, require_program

PACKAGE = Path(__file__).parent / "npm"

pytestmark = pytest.mark.network


class Answer(NamedTuple):
    """What a method answered: a value, or an error, with the status where there was one."""

    value: Any = None
    status: int | None = None
    error: str = ""


class NpmWebdav:
    """The package's client for one collection; its methods by their names."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def attempt(self, method: str, *arguments: object) -> Answer:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([method, *arguments], default=encoded) + "\n")
        self._process.stdin.flush()
        return Answer(**json.loads(self._process.stdout.readline()))

    def __call__(self, method: str, *arguments: object) -> Any:
        answer = self.attempt(method, *arguments)
        assert not answer.error, (method, arguments, answer)
        return answer.value


def encoded(body: object) -> dict[str, str]:
    assert isinstance(body, bytes)
    return {"base64": base64.b64encode(body).decode()}


@pytest.fixture(scope="module")
def node() -> str:
    """Node.js, with the package and what it needs installed as the lock file has them."""
    node, npm = require_program("node"), require_program("npm")
    lock = (PACKAGE / "package-lock.json").read_bytes()
    installed = PACKAGE / "node_modules" / ".installed"
    if not installed.exists() or installed.read_bytes() != lock:
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts"],
            cwd=PACKAGE,
            env=os.environ,  # Its registry and its proxies are the user's.
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"npm ci failed: {done.stderr.strip()}")
        installed.write_bytes(lock)
    return node


@pytest.fixture
def client(node: str, home: Home) -> Iterator[NpmWebdav]:
    with subprocess.Popen(
        [node, PACKAGE / "calls.js", home.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        watchdog = threading.Timer(LIMIT, process.kill)
        watchdog.start()
        try:
            yield NpmWebdav(process)
            process.communicate()
        finally:
            watchdog.cancel()
            process.kill()
    assert process.returncode == 0


def test_a_days_work_with_npm_webdav_leaves_plain_objects(client: NpmWebdav, home: Home) -> None:
    assert client("getDAVCompliance", "/")["compliance"] == ["1", "2"]
    client("createDirectory", "/docs/sub #1 100% ä/deep", {"recursive": True})
    for name in NAMES:
        assert client("putFileContents", f"/docs/{name}", name.encode(), {"overwrite": False})
    assert not client("putFileContents", "/docs/plain.txt", b"another", {"overwrite": False})
    assert client("putFileContents", "/docs/plain.txt", "a second version")
    docs = {name: name.encode() for name in NAMES} | {"plain.txt": b"a second version"}
    listed = {row["basename"]: row for row in client("getDirectoryContents", "/docs")}
    assert listed.pop("sub #1 100% ä")["type"] == "directory"
    assert {name: listed[name]["size"] for name in listed} == {
        name: len(docs[name]) for name in NAMES
    }
    etag = home.bucket.get("docs/plain.txt").etag
    assert {row["etag"] for row in listed.values() if row["basename"] == "plain.txt"} == {
        etag.strip('"')
    }
    docs |= {"": b"", "sub #1 100% ä/": b"", "sub #1 100% ä/deep/": b""}
    assert home.bucket.bodies() == {f"docs/{key}": docs[key] for key in docs}

    client("moveFile", "/docs/100%.txt", "/docs/sub #1 100% ä/50% + #2;.txt")
    client("copyFile", "/docs/it's.txt", "/docs/sub #1 100% ä/deep/it's a copy.txt")
    client("deleteFile", "/docs/semi;colon.txt")
    client("copyFile", "/docs", "/archive")
    assert client.attempt("copyFile", "/docs", "/archive", {"overwrite": False}).status == 412
    client("deleteFile", "/docs")
    assert not client("exists", "/docs")
    assert client("exists", "/archive/plain.txt")
    docs["sub #1 100% ä/50% + #2;.txt"] = docs.pop("100%.txt")
    docs["sub #1 100% ä/deep/it's a copy.txt"] = docs["it's.txt"]
    del docs["semi;colon.txt"]
    assert home.bucket.bodies() == {f"archive/{key}": docs[key] for key in docs}


def test_npm_webdav_streams_both_ways(client: NpmWebdav, home: Home) -> None:
    block = bytes(range(256)) * 400
    assert client("writeStream", "/big.bin", block, 200) == 201  # more than a part
    assert home.bucket.bodies() == {"big.bin": block * 200}
    assert client("stat", "/big.bin")["size"] == 20_480_000
    part = client("readStream", "/big.bin", {"start": 255, "end": 20_000})
    assert base64.b64decode(part["base64"]) == (block * 200)[255:20_001]
    whole = client("getFileContents", "/big.bin")
    assert base64.b64decode(whole["base64"]) == block * 200


def test_npm_webdav_locks_refreshes_and_unlocks(client: NpmWebdav, home: Home) -> None:
    client("putFileContents", "/a.txt", b"first")
    token = client("lock", "/a.txt")["token"]
    assert client.attempt("putFileContents", "/a.txt", b"intruder").status == 423
    headers = {"If": f"(<{token}>)"}
    assert client("putFileContents", "/a.txt", b"second", {"headers": headers})
    refreshed = client("lock", "/a.txt", {"refreshToken": token, "timeout": "Second-900"})
    assert refreshed == {"token": token, "serverTimeout": "Second-900"}
    client("unlock", "/a.txt", token)
    assert client("putFileContents", "/a.txt", b"third")
    assert home.bucket.bodies() == {"a.txt": b"third"}
