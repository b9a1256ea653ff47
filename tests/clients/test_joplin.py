"""Joplin's command line: two machines that keep their notes the same by a folder of the drive.

``tests/run.py`` doesn't install it: npm's package ``joplin`` takes 260 MB, and compiles SQLite.
"""

import json
import re
from pathlib import Path

import pytest

from tests.support.drive import Home
from tests.support.programs import require_program, run

WEBDAV = 6
"""Joplin's number for this kind of drive."""

NOTE = "note ü"


class Joplin:
    """``joplin`` on a machine of its own, with a notebook ``book`` once it was synchronised."""

    def __init__(self, home: Home, folder: Path) -> None:
        self._program = require_program("joplin")
        self._folder = folder
        folder.mkdir()
        settings = {
            "sync.target": WEBDAV,
            "sync.6.path": f"{home.url}notes",
            "sync.6.username": "me",
            "sync.6.password": "none is asked for",
        }
        (folder / "settings.json").write_text(json.dumps(settings))
        self._run("config", "--import-file", "settings.json")

    def __call__(self, *commands: str) -> str:
        (self._folder / "commands").write_text("\n".join(commands), "utf-8")
        return self._run("batch", "commands")

    def _run(self, *arguments: str) -> str:
        return run([self._program, "--profile", self._folder / "p", *arguments], self._folder)


@pytest.fixture
def notes(home: Home) -> str:
    """The folder that Joplin synchronises with."""
    with home.server.client() as client:
        assert client("MKCOL", f"{home.path}notes/").status == 201
    return "notes/"


def bodies(home: Home) -> dict[str, str]:
    """The text of each note in the bucket, by its title."""
    objects = home.bucket.below("notes/").bodies()
    texts = [body.decode() for key, body in objects.items() if re.fullmatch(r"\w{32}\.md", key)]
    parts = [text.split("\n\n") for text in texts if "type_: 1" in text.splitlines()]
    return {title: text for title, text, *_ in parts}


@pytest.mark.usefixtures("notes")
def test_two_machines_with_joplin_share_notes_and_keep_both_sides_of_a_conflict(
    home: Home, tmp_path: Path
) -> None:
    mine, yours = Joplin(home, tmp_path / "mine"), Joplin(home, tmp_path / "yours")
    mine("mkbook book", "use book", f'mknote "{NOTE}"', f'set "{NOTE}" body "first"', "sync")
    assert bodies(home) == {NOTE: "first"}

    assert "first" in yours("sync", "use book", f'cat "{NOTE}"', f'set "{NOTE}" body "yours"')
    mine(f'set "{NOTE}" body "mine"', "sync")
    assert bodies(home) == {NOTE: "mine"}
    shown = yours("sync", f'cat "{NOTE}"', "use Conflicts", f'cat "{NOTE}"').splitlines()
    assert "mine" in shown
    assert "yours" in shown
    assert bodies(home) == {NOTE: "mine"}

    yours(
        "use book",
        f'rmnote --force --permanent "{NOTE}"',
        *('mknote "another"', 'set another body "b"', "sync"),
    )
    shown = mine("sync", "ls").splitlines()
    assert "another" in shown
    assert NOTE not in shown
    assert bodies(home) == {"another": "b"}
