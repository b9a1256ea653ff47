"""Stores that differ: rules for an `S3Proxy` that changes what the store behind it says."""

import re
from collections.abc import Callable

from tests.support.operations import operation_of
from tests.support.s3proxy import Answer, Change, Request, Rule

_ETAG = re.compile(rb"<ETag>(?:&quot;|\")?(.*?)(?:&quot;|\")?</ETag>")

LISTED_ETAGS: dict[str, Callable[[bytes], bytes]] = {
    "none": lambda _: b"",
    "empty": lambda _: b"<ETag></ETag>",
    "empty quotes": lambda _: b"<ETag>&quot;&quot;</ETag>",
    "without quotes": lambda etag: b"<ETag>" + etag + b"</ETag>",
    "in upper case": lambda etag: b"<ETag>&quot;" + etag.upper() + b"&quot;</ETag>",
    "without the number of parts": lambda etag: b"<ETag>" + etag.partition(b"-")[0] + b"</ETag>",
    "other ones": lambda etag: b"<ETag>&quot;" + etag[::-1] + b"-0&quot;</ETag>",
}
"""What listings may have for an ETag."""

OperationsRule = Callable[[Request], bool]


def listing(change: Callable[[bytes], bytes]) -> Rule:
    """A store whose listings are changed."""
    return changed(
        lambda request: request.method == "GET" and "list-type" in request.target,
        lambda answer: answer._replace(body=change(answer.body)),
    )


def listing_etags(form: str) -> Rule:
    """A store with another kind of ETags in its listings: one of LISTED_ETAGS."""
    return listing(lambda body: _ETAG.sub(lambda found: LISTED_ETAGS[form](found[1]), body))


def writing_etags(change: Callable[[str], str]) -> Rule:
    """A store that answers writes with other ETags than it has for reads."""

    def on_answer(answer: Answer) -> Answer:
        headers = {name.title(): value for name, value in answer.headers.items()}
        if "Etag" in headers:
            headers["Etag"] = change(headers["Etag"].strip('"'))
        body = _ETAG.sub(
            lambda found: f"<ETag>{change(found[1].decode())}</ETag>".encode(), answer.body
        )
        return Answer(answer.status, body, headers)

    return changed(lambda request: operation_of(request) in ("PutObject", "CopyObject"), on_answer)


def changed(is_meant: OperationsRule, change: Callable[[Answer], Answer]) -> Rule:
    return lambda request: Change(change) if is_meant(request) else None


_LISTED_TIME = re.compile(rb"<LastModified>.*?</LastModified>")


def times(listed: bytes, shown: str | None, *, copied: bool) -> Rule:
    """A store without proper times: the element in its listings, the header in its answers to HEAD
    and GET (empty: none; None: the right one), and whether answers to COPY have them, too."""

    def on_answer(answer: Answer) -> Answer:
        headers = {name.title(): value for name, value in answer.headers.items()}
        if shown is not None:
            headers.pop("Last-Modified", None)
        if shown:
            headers["Last-Modified"] = shown
        return answer._replace(headers=headers)

    def with_times(answer: Answer) -> Answer:
        return answer._replace(body=_LISTED_TIME.sub(lambda _: listed, answer.body))

    reads = changed(lambda request: request.method in ("GET", "HEAD"), on_answer)
    lists = changed(lambda request: "list-type" in request.target, with_times)
    copies = changed(lambda request: copied and operation_of(request) == "CopyObject", with_times)
    return lambda request: lists(request) or copies(request) or reads(request)
