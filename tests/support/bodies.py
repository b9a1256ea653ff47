"""Bodies of requests that tests of several rooms send."""


def lock_info(scope: str = "exclusive", owner: str = "") -> str:
    """What a LOCK asks for (RFC 4918 §14.11)."""
    return (
        f'<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:{scope}/></D:lockscope>'
        f"<D:locktype><D:write/></D:locktype>{owner}</D:lockinfo>"
    )
