"""LOCK and UNLOCK (RFC 4918 §9.10, §9.11).

Invariant: the lock is acquired before the empty resource of an unmapped URL is made, and released
if that fails: a refused LOCK leaves nothing behind.
"""

import uuid
from dataclasses import replace

from davbridge.dav.context import Context
from davbridge.dav.errors import RefusalError
from davbridge.dav.headers.content_type import guess_type
from davbridge.dav.locking.locks import Lock, LockConflictError, LockLimitError
from davbridge.dav.locking.xml import lock_discovery
from davbridge.dav.methods.client_quirks import quirks_of
from davbridge.dav.methods.failures import multi_status
from davbridge.dav.response import Headers, Response, document, empty
from davbridge.dav.xml_elements import DAV, parse_document, refuse, serialise
from davbridge.store.base import Attributes
from davbridge.tree.writes.creation import ExclusiveAccess

DEFAULT_TIMEOUT = 3600
"""Seconds, without a Timeout header."""

MAX_TIMEOUT = 24 * 3600
"""Seconds; Infinite gets this. A client that is alive refreshes its locks; the locks of one that
died expire."""

MAX_OWNER = 2 * 1024
"""Characters of a DAV:owner element."""


def lock(context: Context) -> Response:
    """200 for a lock on a resource, 201 where it made the resource; without a body, a refresh."""
    body = context.request.xml_body()
    if not body.strip() or context.request.refreshed_token is not None:
        return _refresh(context)
    is_exclusive, owner = parse_lock_info(body)
    depth = context.request.depth
    if depth == "1":
        raise RefusalError(400, "a lock has Depth 0 or infinity")
    context.check_conditions()
    wanted = Lock(
        token=f"urn:uuid:{uuid.uuid4()}",
        root=context.path,
        is_collection=False,
        is_exclusive=is_exclusive,
        is_deep=depth != "0",
        owner=owner,
        user=context.request.user,
        expires=0.0,
        address=context.request.network,
    )
    # A write that was checked before the lock is granted has ended by then, or is checked again.
    with context.provider.without_writes(context.path, is_deep=wanted.is_deep) as access:
        context.check_conditions()
        return _acquire(context, wanted, access)


def unlock(context: Context) -> Response:
    """204; 409 where no lock with that token covers the URL, 403 for another user's lock."""
    token = context.request.lock_token
    if token is None:
        raise RefusalError(400, "a Lock-Token header is needed")
    context.check_conditions()
    held = [each for each in context.locks.covering(context.path) if each.token == token]
    if not held and quirks_of(context.request.agent).lenient_unlock:
        return empty(204)
    if not held:
        raise RefusalError(409, "no such lock here", condition="lock-token-matches-request-uri")
    if held[0].user != context.request.user:
        raise RefusalError(403, "the lock is another user's")
    context.locks.release(token)
    return empty(204)


def granted_timeout(wish: float | None) -> int:
    """Seconds: what the client asks for, if it does, within bounds."""
    return DEFAULT_TIMEOUT if wish is None else max(1, int(min(wish, MAX_TIMEOUT)))


def parse_lock_info(body: bytes) -> tuple[bool, str]:
    """Whether a lockinfo asks for an exclusive lock, and its owner element, serialised."""
    info = parse_document(body, "lockinfo")
    if info.find(f"{DAV}locktype/{DAV}write") is None:
        refuse("lockinfo must ask for a write lock")
    is_exclusive = info.find(f"{DAV}lockscope/{DAV}exclusive") is not None
    if not is_exclusive and info.find(f"{DAV}lockscope/{DAV}shared") is None:
        refuse("lockinfo must ask for an exclusive or a shared lock")
    owner = info.find(f"{DAV}owner")
    text = serialise(owner) if owner is not None else ""
    if len(text) > MAX_OWNER:
        refuse(f"an owner may have {MAX_OWNER} characters")
    return is_exclusive, text


def _refresh(context: Context) -> Response:
    """§9.10.2: the timeout of the lock that the If header names starts anew."""
    context.check_conditions()
    tokens, user = context.request.submitted_tokens, context.request.user
    for each in context.locks.covering(context.path):
        if each.token in tokens and each.user == user:
            timeout = granted_timeout(context.request.timeout)
            refreshed = context.locks.refresh(each.token, timeout)
            if refreshed is not None:
                return _granted(context, refreshed, 200, [])
    raise RefusalError(
        412, "no lock of yours to refresh", condition="lock-token-matches-request-uri"
    )


def _acquire(context: Context, wanted: Lock, access: ExclusiveAccess) -> Response:
    """Grants the lock, and makes the resource where there is none."""
    resource = access.resource
    if resource is None:
        context.enforcement.require_membership(context.path)
    wanted = replace(
        wanted,
        is_collection=resource is not None and resource.is_collection,
        expires=context.locks.now() + granted_timeout(context.request.timeout),
    )
    try:
        context.locks.acquire(wanted)
    except LockConflictError as conflict:
        return _conflict(context, conflict)
    except LockLimitError as full:
        raise RefusalError(507, str(full)) from full
    created = resource is None and _create_empty(context, wanted, access)
    headers = [("Lock-Token", f"<{wanted.token}>")]
    return _granted(context, wanted, 201 if created else 200, headers)


def _create_empty(context: Context, wanted: Lock, access: ExclusiveAccess) -> bool:
    """The empty resource of a lock on an unmapped URL (§7.3). False where one appeared."""
    try:
        return access.make_empty_file(Attributes(guess_type(context.path[-1])))
    except BaseException:
        context.locks.release(wanted.token)
        raise


def _granted(context: Context, granted: Lock, status: int, headers: Headers) -> Response:
    discovery = lock_discovery([granted], context.locks.now(), context.request.site)
    return document(status, f'<D:prop xmlns:D="DAV:">{discovery}</D:prop>\n', headers)


def _conflict(context: Context, conflict: LockConflictError) -> Response:
    """423 for a lock that covers the URL; 207 for locks inside it (§9.10.9)."""
    site = context.request.site
    refusals = {
        site.href(each.root, is_collection=each.is_collection): RefusalError(
            423, "locked", condition="no-conflicting-lock"
        )
        for each in conflict.locks
        if not each.covers(context.path)
    }
    if len(refusals) < len({each.root for each in conflict.locks}):
        hrefs = [site.href(each.root, is_collection=each.is_collection) for each in conflict.locks]
        raise RefusalError(
            423, "another lock is there", condition="no-conflicting-lock", hrefs=hrefs
        )
    own = site.href(context.path, is_collection=True)
    return multi_status([*refusals.items(), (own, RefusalError(424, "a member is locked"))])
