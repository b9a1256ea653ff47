"""A dead property, as a client sets it and reads it back."""

from tests.support.bridge import Client

COLOUR = "{urn:test}colour"


def colour_ask() -> str:
    """The body of a PROPFIND."""
    return '<D:propfind xmlns:D="DAV:" xmlns:t="urn:test"><D:prop><t:colour/></D:prop></D:propfind>'


def colour_update(value: str) -> str:
    """The body of a PROPPATCH."""
    return (
        '<D:propertyupdate xmlns:D="DAV:" xmlns:t="urn:test"><D:set><D:prop>'
        f"<t:colour>{value}</t:colour></D:prop></D:set></D:propertyupdate>"
    )


def set_property(client: Client, target: str, value: str) -> None:
    answer = client("PROPPATCH", target, colour_update(value))
    assert answer.property(target, COLOUR) is not None, answer.body


def property_of(client: Client, target: str) -> str | None:
    """None where there is none."""
    answer = client("PROPFIND", target, colour_ask(), depth="0")
    found = answer.property(target, COLOUR)
    return None if found is None else found.text
