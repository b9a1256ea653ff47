"""What browsers are told beside a file: never to run it in this server's origin.

Pure. Invariant: no file that somebody has stored runs with the rights of the drive's pages.
"""

import re

SANDBOX = ("Content-Security-Policy", "sandbox")
"""With every file, whatever its type: a browser then runs nothing of it in this server's origin.
Which types it would run is the browser's to say (of ``text/plain, text/html`` it takes the last),
and what a file is its writer's."""

_PLAYER = ("Content-Security-Policy", "sandbox allow-same-origin")
"""As strict with scripts. But Chromium's page around a sound or a video asks for the file once
more, and from a sandbox that isn't of this origin may not; nor can all of Firefox's tools for a PDF
be used from there."""

_IS_PLAYED = re.compile(r"((audio|video)/[\w.-]+|application/pdf)\s*(;[^,]*)?", re.ASCII | re.I)
"""One type, and none of XML (``audio/a+xml``)."""

SAME_SITE = ("Cross-Origin-Resource-Policy", "same-site")
"""Else any web page could have a browser load a file with the login that it remembers, or without
one, as a script or a style sheet, and so read it."""

_IS_SEEN = re.compile(r"(image|audio|video)/[\w.+-]+\s*(;[^,]*)?", re.ASCII | re.I)
"""What pages can show and not read. A page on the drive itself may show it only without the policy,
as it is of no site in its sandbox."""


def browser_policies(content_type: str) -> list[tuple[str, str]]:
    """The headers that go with a file of this type."""
    sandbox = _PLAYER if _IS_PLAYED.fullmatch(content_type) else SANDBOX
    return [sandbox] if _IS_SEEN.fullmatch(content_type) else [sandbox, SAME_SITE]
