"""What the README tells people to type is understood, and what it names is there."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from davbridge.arguments import parse
from davbridge.config import CacheSettings, DriveSettings, ServerSettings, load
from davbridge.config.settings import AccessSettings, LogSettings

ROOT = Path(__file__).parent.parent

README = (ROOT / "README.md").read_text(encoding="utf-8")

PAGES = [ROOT / "README.md", *(ROOT / "tests").glob("*.md"), *(ROOT / "tests").glob("*/*.md")]


EXAMPLE_HASH = "$argon2id$v=19$…"

HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return str(found)


def test_the_configuration_that_is_shown_is_taken_and_shows_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "davbridge.toml"
    path.write_text(block("toml").replace(EXAMPLE_HASH, HASH), encoding="utf-8")
    settings = load({}, path, hash_password=lambda password: password)
    assert settings.cache == CacheSettings()
    assert replace(settings.server, tls_cert=None, tls_key=None) == ServerSettings()
    drive = replace(settings.drive, quota=None, max_file_size=None)
    assert drive == DriveSettings()
    assert settings.log == LogSettings()
    assert replace(settings.access, users=()) == AccessSettings()


@pytest.mark.parametrize("line", re.findall(r"^    .*davbridge (serve .*)$", README, re.MULTILINE))
def test_each_command_that_is_shown_is_one(line: str) -> None:
    command, options = parse(line.split())
    assert command == "serve"
    assert options


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_file_that_is_named_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`((?:tests|deploy|davbridge)/[\w/.]+)`", text)
    linked = re.findall(r"\]\(([\w/.]+)\)", text)
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert [path for path in linked if not (page.parent / path).exists()] == []
