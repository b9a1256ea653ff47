"""An object's ACL: from the answer to GetObjectAcl to the headers that give a copy the same."""

import re

from botocore.parsers import ResponseParserError

from davbridge.store.s3.messages.xml import Element, name_of, parsed, texts_of

_HEADERS = {
    "FULL_CONTROL": "x-amz-grant-full-control",
    "READ": "x-amz-grant-read",
    "READ_ACP": "x-amz-grant-read-acp",
    "WRITE_ACP": "x-amz-grant-write-acp",
}
"""WRITE means nothing for an object."""

_NAME = re.compile(r"[\x21\x23-\x2b\x2d-\x7e]+")
"""What a grant can name in a header: no quotes, commas or blanks."""


def owner_in(content: bytes) -> str:
    """The owner's canonical id. Raises ResponseParserError, as all here do."""
    return _owner(_policy(content))


def grant_headers(content: bytes, own_id: str) -> dict[str, str]:
    """Headers for all grants of an ACL; none where only the owner has access, and is ``own_id``.
    That is what a copy has without them. ``own_id``: the owner of the copy; it has all rights."""
    policy = _policy(content)
    own_id = own_id or _owner(policy)
    grants = {("FULL_CONTROL", f'id="{own_id}"')}
    default = set(grants)
    for element in policy.iter():
        if name_of(element) == "Grant":
            permission = texts_of(element).get("Permission", "")
            if permission in _HEADERS:
                grants.add((permission, _grantee(element)))
    if grants == default:
        return {}
    headers: dict[str, list[str]] = {}
    for permission, grantee in sorted(grants):
        headers.setdefault(_HEADERS[permission], []).append(grantee)
    return {name: ", ".join(grantees) for name, grantees in headers.items()}


def _policy(content: bytes) -> Element:
    root = parsed(content)
    if name_of(root) != "AccessControlPolicy":
        raise ResponseParserError(f"the answer is no ACL: {name_of(root)[:80]}")
    return root


def _owner(policy: Element) -> str:
    owner = next((child for child in policy if name_of(child) == "Owner"), None)
    return "" if owner is None else texts_of(owner).get("ID", "")


def _grantee(grant: Element) -> str:
    grantee = next((child for child in grant if name_of(child) == "Grantee"), grant)
    texts = texts_of(grantee)
    for name, kind in (("ID", "id"), ("URI", "uri")):
        if _NAME.fullmatch(texts.get(name, "")):
            return f'{kind}="{texts[name]}"'
    raise ResponseParserError("the answer names nobody in a grant")
