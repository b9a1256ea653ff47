"""What is above the mount: nothing, but clients walk through it.

Windows and GNOME ask about every parent up to ``/`` before they open a share at ``/dav/``, and
give up where one of them is an error. So the collections on the way to the mount can be looked
at, each with the next as its only member.

Owns the answers there. Must not know the namespace. Invariant: nothing above the mount can be
written, and nothing beside the way to it is there.
"""

from davbridge.dav import multistatus
from davbridge.dav.errors import RefusalError
from davbridge.dav.headers.urls import Site
from davbridge.dav.methods.options import class_headers
from davbridge.dav.multistatus import PropStat
from davbridge.dav.request import DavRequest
from davbridge.dav.response import Response, empty
from davbridge.paths import ResourcePath

ALLOW = ("Allow", "OPTIONS, PROPFIND")
COLLECTION = "<D:resourcetype><D:collection/></D:resourcetype>"


def answer(request: DavRequest, path: ResourcePath, *, read_only: bool) -> Response:
    """What a request for the URL path above the mount gets; of the drive itself it tells the class.
    Raises RefusalError."""
    site = request.site
    if request.method == "OPTIONS":
        return empty(200, [*class_headers(read_only=read_only), ALLOW])
    if path != site.mount[: len(path)]:
        raise RefusalError(404, "the drive is elsewhere")
    if request.method != "PROPFIND":
        raise RefusalError(405, "the drive is further inside", headers=[ALLOW])
    shown = [path] if request.depth == "0" else [path, site.mount[: len(path) + 1]]
    above = Site()
    responses = [
        multistatus.response(above.href(each, is_collection=True), [PropStat(200, [COLLECTION])])
        for each in shown
    ]
    return multistatus.answer(responses)
