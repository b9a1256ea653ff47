"""A day's work with git, whose bare repository is a folder of the drive.

Without a git server, git clones and fetches by GET, and pushes by LOCK, MKCOL, PUT and MOVE
(``git http-push``).
"""

from pathlib import Path

import pytest

from tests.support.drive import Home
from tests.support.files import read_files, write_files
from tests.support.names import NAMES
from tests.support.programs import require_program, run

HELPERS = ("git-remote-http", "git-http-push")
"""Parts of git that distributions may leave out."""


class Git:
    """``git`` as a user without settings; its working directories are below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._program = require_program("git")
        self._folder = folder
        parts = Path(self("--exec-path").strip())
        for helper in HELPERS:
            if not (parts / helper).exists():
                pytest.skip(f"{helper} is not installed")

    def __call__(self, *arguments: str, at: str = "", expect: int | None = 0) -> str:
        return run(
            [self._program, *arguments],
            self._folder / at,
            environment={
                "HOME": str(self._folder),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "init.defaultBranch",
                "GIT_CONFIG_VALUE_0": "main",
                "GIT_TERMINAL_PROMPT": "0",
                "GIT_AUTHOR_NAME": "A",
                "GIT_AUTHOR_EMAIL": "a@example.com",
                "GIT_COMMITTER_NAME": "A",
                "GIT_COMMITTER_EMAIL": "a@example.com",
            },
            expect=expect,
        )

    def commit(self, at: str, name: str, body: bytes) -> str:
        """The id of a commit in which the file has this body."""
        write_files(self._folder / at, {name: body})
        self("add", "--all", at=at)
        self("commit", "--quiet", "--message", f"write {name}", at=at)
        return self("rev-parse", "HEAD", at=at).strip()

    def refs(self, at: str) -> dict[str, str]:
        lines = self("for-each-ref", "--format=%(refname) %(objectname)", at=at).splitlines()
        return dict(line.split(" ") for line in lines)


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return Git(tmp_path)


@pytest.fixture
def url(git: Git, home: Home, tmp_path: Path) -> str:
    """Of an empty bare repository, which was copied onto the drive."""
    git("init", "--quiet", "--bare", "empty.git")
    git("update-server-info", at="empty.git")
    with home.server.client() as client:
        assert client("MKCOL", f"{home.path}it.git/").status == 201
        for path in sorted((tmp_path / "empty.git").rglob("*")):
            target = f"{home.path}it.git/{path.relative_to(tmp_path / 'empty.git').as_posix()}"
            if path.is_dir():
                assert client("MKCOL", f"{target}/").status == 201
            else:
                assert client("PUT", target, path.read_bytes()).status == 201
    return f"{home.url}it.git"


def test_a_days_work_with_git_leaves_a_sound_repository(
    git: Git, home: Home, url: str, tmp_path: Path
) -> None:
    git("clone", "--quiet", url, "mine")
    for name in NAMES:
        git.commit("mine", f"docs/{name}", name.encode())
    first = git.commit("mine", "big.bin", bytes(range(256)) * 30_000)
    git("push", "origin", "main", at="mine")

    git("clone", "--quiet", url, "yours")
    assert git.refs("yours")["refs/heads/main"] == first
    git("switch", "--quiet", "--create", "topic", at="yours")
    topic = git.commit("yours", "topic.txt", b"of a branch")
    git("push", "origin", "topic", at="yours")
    git("switch", "--quiet", "main", at="yours")
    git.commit("yours", "plain.txt", b"second")
    git("push", "origin", "main", at="yours")

    git("fetch", "--quiet", at="mine")
    assert git.refs("mine")["refs/remotes/origin/topic"] == topic
    mine = git.commit("mine", "plain.txt", b"another second")
    git("push", "origin", "main", at="mine", expect=1)
    git("push", "--force", "origin", "main", at="mine")
    git("push", "origin", "main:gone", at="mine")
    git("push", "origin", "--delete", "gone", at="mine")

    write_files(tmp_path / "copy.git", home.bucket.below("it.git/").bodies())
    git("fsck", "--full", "--strict", at="copy.git")
    assert git.refs("copy.git") == {"refs/heads/main": mine, "refs/heads/topic": topic}
    wanted = {f"docs/{name}": name.encode() for name in NAMES}
    wanted |= {"plain.txt": b"another second", "big.bin": bytes(range(256)) * 30_000}
    git("clone", "--quiet", "copy.git", "checked-out")
    git("clone", "--quiet", url, "over-dav")
    for folder in ("checked-out", "over-dav"):
        files = read_files(tmp_path / folder)
        assert {name: files[name] for name in files if not name.startswith(".git/")} == wanted
