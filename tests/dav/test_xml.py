"""XML from clients: what is not taken, and names that must not become markup."""

import pytest

from davbridge.dav.errors import RefusalError
from davbridge.dav.xml import parse_document, split_name

ROOT = b'<D:propfind xmlns:D="DAV:"/>'


@pytest.mark.parametrize(
    "before",
    [
        b"<!DOCTYPE x>",
        b'<!DOCTYPE x [<!ENTITY e "e">]>',
        b'<!DOCTYPE x [<!ATTLIST x a CDATA "1">]>',
    ],
)
def test_a_document_with_a_dtd_is_refused(before: bytes) -> None:
    with pytest.raises(RefusalError) as refusal:
        parse_document(before + ROOT, "propfind")
    assert refusal.value.status == 400


def test_a_namespace_may_hold_what_ends_it_in_clark_names() -> None:
    assert split_name("{a}b/><c}d") == ("a}b/><c", "d")
