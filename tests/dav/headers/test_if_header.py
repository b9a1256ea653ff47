"""RFC 4918 §10.4."""

import contextlib

import pytest

from davbridge.dav.errors import RefusalError
from davbridge.dav.headers.if_header import MAX_ENTITY_TAGS, IfCondition, IfList, parse_if
from davbridge.dav.headers.urls import Site
from tests.support.steps import steps_of


def test_untagged_lists_are_about_the_request_uri() -> None:
    lists = parse_if('(<urn:x> ["e1"]) (Not <urn:y> [W/"e2"])')
    assert lists == (
        IfList(None, (IfCondition("urn:x", None, False), IfCondition(None, '"e1"', False))),
        IfList(None, (IfCondition("urn:y", None, True), IfCondition(None, 'W/"e2"', False))),
    )
    assert lists[0].resource(("a",), Site()) == ("a",)


def test_a_tag_holds_for_the_lists_up_to_the_next_tag() -> None:
    lists = parse_if('<http://h/a> (<urn:x>) (["e"]) </b%20c/> (<urn:y>)')
    assert [each.resource(("r",), Site()) for each in lists] == [("a",), ("a",), ("b c",)]
    assert [list(each.tokens) for each in lists] == [["urn:x"], [], ["urn:y"]]


def test_an_etag_may_hold_brackets_and_parentheses() -> None:
    assert parse_if('(["a)]("])')[0].conditions[0].etag == '"a)]("'


@pytest.mark.parametrize(
    "value",
    [
        "",
        "()",
        "(<urn:x>",
        "<urn:x>",
        "(Not)",
        "(Not Not <urn:x>)",
        "<http://h/a>",
        "(<urn:x>) <http://h/a> (<urn:y>)",
        "(urn:x)",
        '("e")',
        "<a><b>(<urn:x>)",
        "(<urn:x>) trailing",
        '(["e"])' * (MAX_ENTITY_TAGS + 1),
        "(" + '["e"]' * (MAX_ENTITY_TAGS + 1) + ")",
    ],
)
def test_anything_but_the_grammar_and_what_is_too_much_is_refused(value: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        parse_if(value)
    assert refusal.value.status == 400


def test_an_if_header_may_hold_any_number_of_lock_tokens() -> None:
    """§10.4: davfs2 sends those of all files that it has written when it moves their folder."""
    tokens = [f"urn:uuid:{number}" for number in range(1_000)]
    lists = parse_if("".join(f"<http://h/d/{token}> (<{token}>)" for token in tokens))
    assert [token for each in lists for token in each.tokens] == tokens
    (one,) = parse_if("(" + "".join(f"<{token}>" for token in tokens) + ")")
    assert list(one.tokens) == tokens


def parse_or_refuse(value: str) -> None:
    with contextlib.suppress(RefusalError):
        parse_if(value)


@pytest.mark.parametrize("part", ["<", "(", "(<urn:x>)", "(Not <urn:x>)", "Not ", "<http://h/a>"])
def test_a_header_takes_as_many_steps_as_it_is_long(part: str) -> None:
    """Eight times as long takes about eight times the steps; a square of it would be 64 times."""
    short, long = (steps_of(lambda: parse_or_refuse(part * count)) for count in (1_000, 8_000))  # noqa: B023
    assert long <= 9 * short


@pytest.mark.parametrize("part", ["<", "[", " ", "not ", '["'])
def test_a_header_of_one_thing_only_is_searched_in_proportion_to_its_length(part: str) -> None:
    """In the square of its length it would take an hour: the test wouldn't come to its end."""
    parse_or_refuse(part * 4_000_000)
