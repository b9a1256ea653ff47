"""Which names are those of junk."""

import unicodedata

import pytest

from davbridge.config import DriveSettings
from davbridge.tree.junk.names import junk_names

is_junk = junk_names(DriveSettings().junk_names)


@pytest.mark.parametrize(
    "name",
    [
        "._photo.jpg",
        "._.DS_Store",
        ".DS_Store",
        "Thumbs.db",
        "thumbs.db",
        "desktop.ini",
        "Desktop.ini",
        "~$report.docx",
        ".~lock.report.odt#",
    ],
)
def test_what_desktops_write_is_junk_in_any_case(name: str) -> None:
    assert is_junk(name)


@pytest.mark.parametrize(
    "name",
    [
        "photo._.jpg",
        "_photo.jpg",
        ".photo",
        "DS_Store",
        ".DS_Store.txt",
        "Thumbs.db~",
        "my desktop.ini",
        "~report.docx",
        "~WRD0001.tmp",
        ".~lock.report.odt",
        ".metadata_never_index",
        "a\n._b",
    ],
)
def test_people_s_own_files_are_no_junk(name: str) -> None:
    assert not is_junk(name)


def test_no_pattern_matches_nothing() -> None:
    assert not junk_names([])("._x")


def test_patterns_match_every_unicode_spelling() -> None:
    is_match = junk_names(["Übersicht*"])
    for form in ("NFC", "NFD"):
        assert is_match(unicodedata.normalize(form, "übersicht.db"))
