"""Whether an answer is right: looked at before its time counts, and after its clock has stopped."""

from collections.abc import Collection, Mapping
from urllib.parse import unquote, urlsplit
from xml.etree.ElementTree import Element, ParseError, fromstring

from tests.bench.wire import Answer
from tests.support.bridge import DAV


class WrongAnswerError(Exception):
    """A server has not done what was asked; ``str(error)`` says what is wrong, in a few words."""


def expect_status(answer: Answer, expected: Collection[int], what: str) -> None:
    if answer.status not in expected:
        raise WrongAnswerError(f"{what}: {answer.status}")


def expect_listing(answer: Answer, folder: str, sizes: Mapping[str, int | None]) -> None:
    """A multistatus of ``folder`` and exactly these members; a size of None is a collection's."""
    expect_status(answer, (207,), f"PROPFIND {folder}")
    expected = {f"{folder}/{name}": size for name, size in sizes.items()}
    found = members(answer.body)
    if folder not in found:
        raise WrongAnswerError(f"{folder} isn't in its own listing")
    del found[folder]
    if found != expected:
        missing, surplus = len(expected.keys() - found), len(found.keys() - expected)
        wrong = sum(found[path] != expected[path] for path in found.keys() & expected)
        raise WrongAnswerError(
            f"listing: {missing} members missing, {surplus} too many, {wrong} with a wrong size"
        )


def members(body: bytes) -> dict[str, int | None]:
    """Sizes by path, without the slash at the end; None for collections."""
    try:
        root = fromstring(body)
    except ParseError as error:
        raise WrongAnswerError(f"no XML: {error}") from error
    responses = root.findall(f"{DAV}response")
    found = dict(_member(each) for each in responses)
    if len(found) != len(responses):
        raise WrongAnswerError("a member is listed twice")
    return found


def _member(response: Element) -> tuple[str, int | None]:
    path = unquote(urlsplit(response.findtext(f"{DAV}href") or "").path).rstrip("/")
    for propstat in response.findall(f"{DAV}propstat"):
        if "200" not in (propstat.findtext(f"{DAV}status") or ""):
            continue
        if propstat.find(f"{DAV}prop/{DAV}resourcetype/{DAV}collection") is not None:
            return path, None
        length = propstat.findtext(f"{DAV}prop/{DAV}getcontentlength")
        if length is not None:
            return path, int(length)
    raise WrongAnswerError(f"{path} has no length")


def expect_bytes(got: bytes | memoryview, wanted: bytes | memoryview, what: str) -> None:
    if got != wanted:
        raise WrongAnswerError(f"{what}: other bytes than the store's")
