"""An object's tags: from the answer to GetObjectTagging to the header that gives them to a copy."""

from urllib.parse import quote

from botocore.parsers import ResponseParserError

from davbridge.store.s3.messages.xml import name_of, parsed, required, texts_of

TAGS = "x-amz-tagging"


def tag_headers(content: bytes) -> dict[str, str]:
    """Raises ResponseParserError."""
    root = parsed(content)
    if name_of(root) != "Tagging":
        raise ResponseParserError(f"the answer has no tags: {name_of(root)[:80]}")
    tags = [element for element in root.iter() if name_of(element) == "Tag"]
    pairs = [(required(tag, "Key"), texts_of(tag).get("Value", "")) for tag in tags]
    texts = [f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in pairs]
    return {TAGS: "&".join(texts)} if texts else {}
