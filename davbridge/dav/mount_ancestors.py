"""The collections above the mount: read-only, each with the next as its only member.

Windows and GNOME send PROPFIND for every parent up to ``/`` before they open a share at ``/dav/``,
and give up if one of them is an error.

Invariant: nothing above the mount can be written, and no other path is there.
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
    """The answer to a request for a URL path outside the mount. OPTIONS has the drive's own DAV
    class. Raises RefusalError."""
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
