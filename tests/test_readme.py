"""What the documents tell people to type is understood, what they name is there, and their tables
say the same as the code."""

import ast
import re
import shlex
import tokenize
from collections.abc import Iterator
from dataclasses import Field, fields, replace
from fnmatch import fnmatch
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

import pytest

from davbridge.access import logins
from davbridge.arguments import parse
from davbridge.config import (
    FLAGS,
    CacheSettings,
    ConfigError,
    DriveSettings,
    S3Settings,
    ServerSettings,
    load,
)
from davbridge.config.checks import parse_size
from davbridge.config.file import SECTIONS
from davbridge.config.settings import AccessSettings, LogSettings
from davbridge.dav import request, xml_elements
from davbridge.dav.headers import if_header, ranges, urls
from davbridge.dav.locking import memory
from davbridge.dav.methods import lock
from davbridge.dav.propfind import query
from davbridge.http.protocol import client_timeout, request_head, request_reader
from davbridge.paths import MAX_KEY_BYTES
from davbridge.tree.junk import files as junk_files
from davbridge.tree.properties import sidecar_format
from tests.dav.test_call_budget import CASES, COPY, DELETE, DELETES, GET, HEAD, LIST, PUT

ROOT = Path(__file__).parent.parent

FOLDERS = (ROOT / "deploy", ROOT / "davbridge", ROOT / "tests")

OURS = (page for each in FOLDERS for page in each.rglob("*.md") if "node_modules" not in page.parts)
PAGES = sorted([ROOT / "README.md", *OURS])

README, DEPLOY, PACKAGE = (
    (ROOT / page).read_text(encoding="utf-8")
    for page in ("README.md", "deploy/README.md", "davbridge/README.md")
)

LONGEST_README = 170
"""Lines: a person with a bucket reads no more."""

LONGEST_GLOSSARY = 40
"""Words that the code has of its own."""

EXAMPLE_HASH = "$argon2id$v=19$…"

HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"

on_each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def section(page: str, heading: str) -> str:
    """The text below a heading, up to the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^#{{1,2}} |\Z)", page, re.M | re.S)
    assert found, heading
    return found[2]


def rows(text: str, first: str) -> list[list[str]]:
    """The cells of the table whose head begins with ``first``, without the head."""
    found = re.search(rf"^\| {re.escape(first)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert found, first
    return [[cell.strip() for cell in row[1:-1].split("|")] for row in found[1].splitlines()]


def words(text: str) -> list[str]:
    """What is written as code in the lines of a text."""
    return re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def loaded(page: str, folder: Path) -> Any:
    """The settings of the configuration that a page shows."""
    (block,) = blocks(page, "toml")
    path = folder / "davbridge.toml"
    path.write_text(block.replace(EXAMPLE_HASH, HASH), encoding="utf-8")
    return load({}, path, hash_password=lambda password: password)


# Configuration


def test_the_configuration_that_is_shown_is_taken_and_shows_the_defaults(tmp_path: Path) -> None:
    settings = loaded(DEPLOY, tmp_path)
    assert settings.cache == CacheSettings()
    assert replace(settings.server, tls_cert=None, tls_key=None) == ServerSettings()
    drive = replace(settings.drive, quota=None, max_file_size=None)
    assert drive == DriveSettings()
    assert settings.log == LogSettings()
    assert replace(settings.access, users=()) == AccessSettings()
    bucket = settings.s3.bucket
    without_default = {each.name for each in fields(S3Settings) if each.default is None}
    assert replace(settings.s3, **dict.fromkeys(without_default)) == S3Settings(bucket)


def test_the_configuration_that_is_shown_has_every_key() -> None:
    (block,) = blocks(DEPLOY, "toml")
    shown = dict(re.findall(r"^\[(\w+)\](.*?)(?=^\[|\Z)", block, re.MULTILINE | re.DOTALL))
    for name, kind in SECTIONS.items():
        if name != "embedded":  # It stands beside s3, in a comment.
            keys = re.findall(r"^(\w+) =", shown[name], re.MULTILINE)
            assert sorted(keys) == sorted(each.name for each in fields(kind)), name


def test_the_minimal_configuration_is_taken(tmp_path: Path) -> None:
    settings = loaded(README, tmp_path)
    assert (settings.s3.prefix, settings.server.port) == ("some/prefix/", 443)


def settings_fields() -> dict[str, Field[Any]]:
    return {f"{name}.{each.name}": each for name, kind in SECTIONS.items() for each in fields(kind)}


def test_the_reference_has_every_setting_and_its_flag() -> None:
    table = rows(DEPLOY, "Setting")
    assert sorted(words(name)[0] for name, *_ in table) == sorted(settings_fields())
    flags = {name: {flag} for name, flag in FLAGS.items()}
    # Together they make one of the users.
    flags["access.users"] = flags.pop("access.user") | flags.pop("access.password_file")
    assert {words(name)[0]: set(words(flag)) for name, flag, *_ in table if flag} == flags


@pytest.mark.parametrize(
    ("setting", "bounds"), [(words(row[0])[0], row[2]) for row in rows(DEPLOY, "Setting") if row[2]]
)
def test_the_bounds_that_are_shown_are_the_settings_own(setting: str, bounds: str) -> None:
    group, name = setting.split(".")

    def is_taken(value: float) -> bool:
        others = {"bucket": "bucket"} if group == "s3" else {}
        try:
            SECTIONS[group](**others, **{name: value})
        except ConfigError:
            return False
        return True

    if choices := words(bounds):
        known = get_args(get_type_hints(SECTIONS[group])[name])
        if NoneType in known:
            known = get_args(known[0])
        assert sorted(choices) == sorted(known)
    elif between := re.fullmatch(r"(\d+) to (\d+)", bounds):
        low, high = map(int, between.groups())
        assert not is_taken(low - 1)
        assert is_taken(low)
        assert is_taken(high)
        assert not is_taken(high + 1)
    elif least := re.fullmatch(r"(\d+) or more", bounds):
        assert not is_taken(int(least[1]) - 1)
        assert is_taken(int(least[1]))
        assert is_taken(10**15)
    else:
        assert bounds == "more than 0"
        assert not is_taken(0.0)
        assert is_taken(0.001)
        assert is_taken(1e9)


def test_each_setting_that_is_named_is_one() -> None:
    known = settings_fields()
    sections = "|".join(SECTIONS)
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        named = re.findall(rf"`((?:{sections})\.[a-z_]+)(?: = \w+)?`", text)
        files = {name for name in named if name.endswith((".py", ".md"))}
        assert [name for name in named if name not in known and name not in files] == [], page


# Commands


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command of davbridge that a page shows, in a block of code or as code in a line."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        in_blocks = re.findall(r"davbridge ((?:serve|sweep|password)\b.*)", code(text))
        in_lines = re.findall(r"`davbridge ((?:serve|sweep|password)\b[^`]*)`", text)
        for line in in_blocks + in_lines:
            yield line, shlex.split(line, comments=True)


def code(text: str) -> str:
    """The blocks of code of a page."""
    indented = re.findall(r"^    \S.*$", text, re.MULTILINE)
    return "\n".join(indented + re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


SHOWN = dict(commands())


@pytest.mark.parametrize("line", SHOWN)
def test_each_command_that_is_shown_is_one(line: str) -> None:
    arguments = [each.strip("[]").replace("[/PREFIX]", "/PREFIX") for each in SHOWN[line]]
    command, options = parse(arguments)
    assert command == arguments[0]
    assert options or len(arguments) == 1


def test_commands_are_shown_of_every_kind() -> None:
    assert {arguments[0] for arguments in SHOWN.values()} == {"serve", "sweep", "password"}
    assert [line for line in SHOWN if "--config" in line]


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    with pytest.raises(SystemExit):
        parse([command, "--help"])
    return set(re.findall(r"--[a-z-]+", capsys.readouterr().out))


def test_the_manual_has_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    flags = help_of("serve", capsys) | help_of("sweep", capsys)
    manual = section(DEPLOY, "Command line") + section(DEPLOY, "Configuration")
    shown = {flag for each in words(manual) for flag in re.findall(r"^--[a-z-]+", each)}
    assert shown | {"--help"} == flags


# Figures


LIMITS: dict[str, float] = {
    "request line": request_head.MAX_REQUEST_LINE,
    "header fields": request_head.MAX_FIELDS,
    "number of header fields": request_head.MAX_FIELD_COUNT,
    "seconds for a whole head": request_reader.HEAD_SECONDS,
    "path in a URL": urls.MAX_PATH,
    "key, with its prefix": MAX_KEY_BYTES,
    "XML body": request.MAX_XML,
    "XML elements": xml_elements._MAX_ELEMENTS,
    "XML nesting": xml_elements._MAX_NESTING,
    "property names in one request": xml_elements.MAX_NAMES,
    "characters of these names": query.MAX_NAMES_LENGTH,
    "properties of one resource": sidecar_format.MAX_RESOURCE_BYTES,
    "entity tags in `If`": if_header.MAX_ENTITY_TAGS,
    "ranges in one request": ranges.MAX_RANGES,
    "locks": memory.MAX_LOCKS,
    "lock timeout, in hours": lock.MAX_TIMEOUT / 3600,
    "junk in memory, in all": junk_files.MAX_BYTES,
    "files of junk in memory": junk_files.MAX_FILES,
    "one file of junk in memory": junk_files.MAX_FILE_BYTES,
    "junk that is being uploaded": junk_files.MAX_INCOMING_BYTES,
    "hours of a file of junk in memory": junk_files.LIFETIME / 3600,
    "logins that wait to be verified": logins.MAX_WAITING,
    "bytes a second of a body": client_timeout.MIN_RATE,
}


def test_the_limits_that_are_shown_are_the_code_s() -> None:
    shown = {name: figure for name, figure, _ in rows(DEPLOY, "Limit")}
    assert {name: figure_of(text) for name, text in shown.items()} == LIMITS


def figure_of(text: str) -> int | None:
    return parse_size(text.replace(",", "").removesuffix(" bytes"))


OPERATIONS: dict[str, str] = {
    "LIST": LIST,
    "HEAD": HEAD,
    "GET": GET,
    "PUT": PUT,
    "COPY": COPY,
    "DELETE": DELETE,
    "DELETES": DELETES,
}


@pytest.mark.parametrize("row", rows(PACKAGE, "Request"), ids=lambda row: row[0])
def test_the_requests_that_are_shown_are_those_of_the_call_budget(row: list[str]) -> None:
    shown, *costs = row
    method, path = words(shown)[0].split()
    destination = words(shown)[1] if " to `" in shown else None
    depth = re.search(r"Depth (\d|infinity)", shown)
    wanted = {"Depth": depth[1]} if depth else {}
    wanted |= {"Destination": destination} if destination else {}
    case = next(
        each for each in CASES if (each.method, each.target, each.headers) == (method, path, wanted)
    )
    for cost, budget in zip(costs, (case.warm, case.cold), strict=True):
        names = [] if cost == "none" else cost.split()
        assert sorted(OPERATIONS[name] for name in names) == sorted(budget)


# What is named


@on_each_page
def test_each_file_that_is_named_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`((?:tests|deploy|davbridge)/[\w/.]+)`", text)
    assert [path for path in named if not (ROOT / path).exists()] == []
    parts = re.findall(r"`((?:\w+/)*(?:[\w*]+\.(?:py|md)|\w+/))`", text)
    assert [path for path in parts if path not in EXAMPLES and not is_there(path)] == []


EXAMPLES = ("name/", "a/")
"""Keys of directory markers."""


def is_there(path: str) -> bool:
    """Whether a path exists below the root, or below the part of it that a page is about; a bare
    file name may be anywhere."""
    places = (ROOT, ROOT / "davbridge", ROOT / "tests")
    if any(any(place.glob(path.rstrip("/"))) for place in places):
        return True
    return "/" not in path and any(any(folder.rglob(path)) for folder in FOLDERS)


@on_each_page
def test_each_link_leads_to_a_page_and_a_heading(page: Path) -> None:
    for path, anchor in re.findall(
        r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", page.read_text(encoding="utf-8")
    ):
        there = page.parent / path if path else page
        assert there.exists(), path
        if anchor:
            assert anchor in anchors(there.read_text(encoding="utf-8")), f"{path}#{anchor}"


def anchors(text: str) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def names_of_tests() -> set[str]:
    return {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


TESTS = names_of_tests()


@on_each_page
def test_each_test_that_is_named_is_there(page: Path) -> None:
    """A name may end in dots: some test begins so."""
    named = re.findall(r"`(test_\w+…?)`", page.read_text(encoding="utf-8"))
    patterns = [name.replace("…", "*") for name in named]
    missing = [each for each in patterns if not any(fnmatch(name, each) for name in TESTS)]
    assert [each for each in missing if not is_there(f"{each}.py")] == []


def test_each_test_of_the_seed_is_there() -> None:
    for _, _, tests in rows((ROOT / "tests" / "SEED.md").read_text(encoding="utf-8"), "the seed"):
        for name in words(tests):
            pattern = (name if name.startswith("test_") else f"test_seed_{name}").replace("…", "*")
            assert any(fnmatch(each, pattern) for each in TESTS), name


def test_each_promise_names_a_test_that_holds_it() -> None:
    promises = re.findall(r"^- (.*)$", section(PACKAGE, "Semantics"), re.MULTILINE)
    assert len(promises) > 50
    unheld = [each for each in promises if not re.search(r"`test_\w+`", each)]
    assert [each for each in unheld if not each.endswith("end with the process.")] == []
    replaced = rows(PACKAGE, "Part of the library")
    assert [row[0] for row in replaced if not re.search(r"`test_\w+`", row[3])] == []


def identifiers() -> set[str]:
    """Every name in the package: of modules and packages, and in their code."""
    found = set()
    for path in (ROOT / "davbridge").rglob("*.py"):
        found |= {path.stem, path.parent.name}
        with path.open("rb") as lines:
            tokens = tokenize.tokenize(lines.readline)
            found |= {token.string for token in tokens if token.type == tokenize.NAME}
    return found


NAMES = identifiers()


def test_the_map_has_every_part_of_the_package() -> None:
    parts = {
        path.name + "/" * path.is_dir()
        for path in (ROOT / "davbridge").iterdir()
        if path.name not in ("__init__.py", "__pycache__")
        and (path.is_dir() or path.suffix == ".py")
    }
    table = rows(PACKAGE, "Part")
    assert sorted(words(part)[0] for part, *_ in table) == sorted(parts)
    for part, _, start in table:
        stem = words(part)[0].removesuffix("/").removesuffix(".py")
        places = ROOT / "davbridge" / stem, ROOT / "davbridge" / f"{stem}.py"
        files = [path for each in places for path in (each, *each.rglob("*.py")) if path.is_file()]
        definition = re.compile(
            rf"^(?:class|def|from \S+ import) {words(start)[0]}\b", re.MULTILINE
        )
        assert any(definition.search(path.read_text(encoding="utf-8")) for path in files), start


def test_the_glossary_is_short_and_of_words_that_the_code_has() -> None:
    table = rows(PACKAGE, "Word")
    assert len(table) <= LONGEST_GLOSSARY
    named = [name for word, _ in table for name in words(word)]
    assert [name for name in named if name.removeprefix(".") not in NAMES] == []


def test_each_name_of_the_code_that_the_architecture_uses_is_there() -> None:
    """Those with a capital, an underscore or a dot, which no word of plain English has."""
    libraries = {name for part, *_ in rows(PACKAGE, "Part of the library") for name in words(part)}
    used = {name for name in words(PACKAGE) if re.fullmatch(r"_?[A-Za-z]\w*(\.\w+)*", name)}
    elsewhere = ("test_", "os.", "bucket.")
    named = [
        name
        for name in used - libraries - settings_fields().keys() - {"WsgiDAV"}
        if re.search(r"[A-Z_.]", name)
        and not name.startswith(elsewhere)
        and not name.endswith((".py", ".md"))
    ]
    assert len(named) > 50
    missing = [name for name in named if not NAMES.union(OF_TESTS).issuperset(name.split("."))]
    assert missing == []


OF_TESTS = {"CASES"}


def test_the_readme_is_short() -> None:
    assert README.count("\n") <= LONGEST_README
