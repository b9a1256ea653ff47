"""Content types of names."""

import mimetypes

import pytest

from davbridge.dav.headers.content_type import DEFAULT_TYPE, guess_type

OFFICE = "application/vnd.openxmlformats-officedocument."


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("letter.docx", OFFICE + "wordprocessingml.document"),
        ("table.XLSX", OFFICE + "spreadsheetml.sheet"),
        ("slides.pptx", OFFICE + "presentationml.presentation"),
        ("letter.odt", "application/vnd.oasis.opendocument.text"),
        ("letter.rtf", "application/rtf"),
        ("book.epub", "application/epub+zip"),
        ("README.md", "text/markdown"),
        ("server.log", "text/plain"),
        ("settings.toml", "application/toml"),
        ("settings.yml", "application/yaml"),
        ("app.js", "text/javascript"),
        ("app.mjs", "text/javascript"),
        ("song.flac", "audio/flac"),
        ("song.ogg", "audio/ogg"),
        ("song.m4a", "audio/mp4"),
        ("film.mkv", "video/x-matroska"),
        ("film.ts", "video/mp2t"),
        ("picture.webp", "image/webp"),
        ("picture.heic", "image/heic"),
        ("picture.avif", "image/avif"),
        ("font.woff2", "font/woff2"),
        ("archive.7z", "application/x-7z-compressed"),
        ("archive.zip", "application/zip"),
        ("archive.tar.gz", "application/gzip"),
        ("archive.tar.xz", "application/x-xz"),
        ("archive.tar.zst", "application/zstd"),
        ("disk.iso", "application/x-iso9660-image"),
        ("track.gpx", "application/gpx+xml"),
        ("id.key", DEFAULT_TYPE),
        ("Makefile", DEFAULT_TYPE),
        (".toml", DEFAULT_TYPE),
        ("name.of-no-type", DEFAULT_TYPE),
    ],
)
def test_files_that_people_store_have_their_types(name: str, kind: str) -> None:
    assert guess_type(name) == kind


def test_the_machine_s_own_table_changes_no_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(mimetypes.types_map, ".docx", "text/odd")
    monkeypatch.setitem(mimetypes.types_map, ".nothing-known", "text/odd")
    assert mimetypes.guess_type("a.nothing-known") == ("text/odd", None)
    assert guess_type("a.docx") == OFFICE + "wordprocessingml.document"
    assert guess_type("a.nothing-known") == DEFAULT_TYPE
