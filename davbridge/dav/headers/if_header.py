"""The If header (RFC 4918 §10.4): its grammar.

Invariant: parsing takes time proportional to the header's length. A header that doesn't follow the
grammar is refused as a whole.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from davbridge.dav.errors import RefusalError
from davbridge.dav.headers.urls import Site
from davbridge.paths import ResourcePath

MAX_ENTITY_TAGS = 100
"""No known client sends as many. Each may name another resource, which costs a request to S3.

State tokens aren't limited: locks are in memory, and davfs2 sends the tokens of all files that it
has written when it moves their folder."""

_LEXEME = re.compile(
    r"""\s*(?:
        (?P<open>\() | (?P<close>\)) | (?P<negation>[Nn][Oo][Tt]\b) |
        <(?P<uri>[^<>]*)> | \[\s*(?P<etag>(?:W/)?"[^"]*")\s*\]
    )\s*""",
    re.VERBOSE,
)


class IfCondition(NamedTuple):
    """One condition: a state token, or an entity tag with its quotes; negated or not."""

    token: str | None
    etag: str | None
    negated: bool


class IfList(NamedTuple):
    """Conditions that must all hold of one resource."""

    tag: str | None
    """The resource tag as written; None where the list is about the Request-URI."""
    conditions: tuple[IfCondition, ...]

    @property
    def tokens(self) -> Iterator[str]:
        return (condition.token for condition in self.conditions if condition.token)

    @property
    def names_version(self) -> bool:
        """Whether it can match one version of a resource alone, by its entity tag."""
        return any(each.etag and not each.negated for each in self.conditions)

    def resource(self, request_path: ResourcePath, site: Site) -> ResourcePath | None:
        """The path that the list applies to; None for a tag that names nothing on this site."""
        return request_path if self.tag is None else site.parse_tag(self.tag)


def parse_if(value: str) -> tuple[IfList, ...]:
    """The lists of an If header. Raises RefusalError 400."""
    lexemes = list(_lexemes(value))
    lists: list[IfList] = []
    tag: str | None = None
    at = 0
    while at < len(lexemes):
        kind, text = lexemes[at]
        if kind == "uri" and (tag is not None or not lists) and _opens(lexemes, at + 1):
            tag, at = text, at + 1
        elif kind == "open":
            conditions, at = _parse_list(lexemes, at + 1)
            lists.append(IfList(tag, conditions))
        else:
            raise _malformed()
    if not lists:
        raise _malformed()
    if sum(each.etag is not None for part in lists for each in part.conditions) > MAX_ENTITY_TAGS:
        raise RefusalError(400, f"an If header may have {MAX_ENTITY_TAGS} entity tags")
    return tuple(lists)


def _lexemes(value: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(value):
        match = _LEXEME.match(value, at)
        if match is None or match.lastgroup is None:
            raise _malformed()
        yield match.lastgroup, match[match.lastgroup]
        at = match.end()


def _opens(lexemes: list[tuple[str, str]], at: int) -> bool:
    return at < len(lexemes) and lexemes[at][0] == "open"


def _parse_list(lexemes: list[tuple[str, str]], at: int) -> tuple[tuple[IfCondition, ...], int]:
    """The conditions from ``at`` to the closing parenthesis, and the index after it."""
    conditions: list[IfCondition] = []
    negated = False
    for place in range(at, len(lexemes)):
        kind, text = lexemes[place]
        if kind == "negation" and not negated:
            negated = True
        elif kind in ("uri", "etag"):
            token, etag = (text, None) if kind == "uri" else (None, text)
            conditions.append(IfCondition(token, etag, negated))
            negated = False
        elif kind == "close" and conditions and not negated:
            return tuple(conditions), place + 1
        else:
            break
    raise _malformed()


def _malformed() -> RefusalError:
    return RefusalError(400, "the If header is malformed")
