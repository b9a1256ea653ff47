"""Conditional requests: RFC 9110 §13 for the target, RFC 4918 §10.4 for what the If header names.

Invariant: a condition on a resource that doesn't exist is evaluated, never skipped.
"""

import re
from collections.abc import Callable, Container, Mapping
from datetime import datetime, timedelta
from functools import cache

from davbridge.clock import Clock, utc_now
from davbridge.dav.errors import RefusalError
from davbridge.dav.headers.if_header import IfCondition, IfList
from davbridge.dav.headers.validators import entity_tag, parse_date
from davbridge.dav.request import DavRequest
from davbridge.paths import ResourcePath
from davbridge.tree.resource import Resource

Find = Callable[[ResourcePath], Resource | None]

_ENTITY_TAG = re.compile(r'\s*((?:W/)?"[^"]*")\s*(?:,|$)')


def check_http(request: DavRequest, resource: Resource | None, clock: Clock = utc_now) -> bool:
    """Evaluates If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since, in the order
    of RFC 9110 §13.2.2. True where the answer is 304; raises RefusalError 412.

    The time of a file may go back, because clients set it. A date therefore stands for the version
    with exactly this time, as with nginx' ``if_modified_since exact``.
    """
    if_match, if_none_match = request.header("IF_MATCH"), request.header("IF_NONE_MATCH")
    if if_match is not None:
        if not _matches(if_match, resource, strong=True):
            raise RefusalError(412, "If-Match does not hold")
    elif _is_modified(_date_in(request, "IF_UNMODIFIED_SINCE"), resource, clock):
        raise RefusalError(412, "If-Unmodified-Since does not hold")
    is_read = request.method in ("GET", "HEAD")
    if if_none_match is not None:
        if not _matches(if_none_match, resource, strong=False):
            return False
        if is_read:
            return True
        raise RefusalError(412, "If-None-Match does not hold")
    since = _date_in(request, "IF_MODIFIED_SINCE")
    return is_read and resource is not None and since == _seconds(resource.modified)


def depends_on_target(request: DavRequest) -> bool:
    """Whether `check_http` looks at the resource."""
    names = ("IF_MATCH", "IF_NONE_MATCH", "IF_UNMODIFIED_SINCE", "IF_MODIFIED_SINCE")
    return any(request.header(name) is not None for name in names)


def check_if(
    request: DavRequest,
    find: Find,
    tokens_covering: Callable[[ResourcePath], Container[str]],
    first: IfList | None = None,
) -> IfList | None:
    """Evaluates the If header: the list that holds, None where there is no header. Raises
    RefusalError 412 where no list of it holds.

    ``tokens_covering``: the tokens of the live locks that cover a path; ``first``: the list that is
    evaluated before the others. Each resource is looked at once, however many lists are about it.
    """
    state_of = cache(tokens_covering)

    @cache
    def path_of(tag: str | None) -> ResourcePath | None:
        return request.path if tag is None else request.site.parse_tag(tag)

    def condition_holds(condition: IfCondition, path: ResourcePath) -> bool:
        if condition.token is not None:
            result = condition.token in state_of(path)
        else:
            resource = find(path)
            result = resource is not None and entity_tag(resource) == condition.etag
        return result is not condition.negated

    def list_holds(each: IfList) -> bool:
        path = path_of(each.tag)
        if path is None:
            return all(condition.negated for condition in each.conditions)
        # Locks are in memory; a resource may cost a request.
        conditions = sorted(each.conditions, key=lambda condition: condition.token is None)
        return all(condition_holds(condition, path) for condition in conditions)

    if not request.if_lists:
        return None
    lists = request.if_lists if first is None else (first, *request.if_lists)
    held = next(filter(list_holds, lists), None)
    if held is None:
        raise RefusalError(412, "the If header does not hold")
    return held


def names_version(request: DavRequest) -> bool:
    """Whether the request applies to one version only, whose entity tag it names: in If-Match, or
    in every list of its If header."""
    if request.header("IF_MATCH") not in (None, "*"):
        return True
    return bool(request.if_lists) and all(
        each.names_version and each.resource(request.path, request.site) == request.path
        for each in request.if_lists
    )


def wants_absence(request: DavRequest) -> bool:
    """Whether the request requires that nothing is at its path: ``If-None-Match: *``."""
    return (request.header("IF_NONE_MATCH") or "").strip() == "*"


def is_dated(request: DavRequest) -> bool:
    """Whether the request names its version by time: by If-Unmodified-Since, where that counts.
    S3 has no such condition for writes."""
    since = request.header("IF_UNMODIFIED_SINCE")
    return since is not None and request.header("IF_MATCH") is None and bool(parse_date(since))


def range_applies(request: DavRequest, resource: Resource) -> bool:
    """If-Range (RFC 9110 §13.1.5): whether Range counts; otherwise the whole file is sent."""
    value = request.header("IF_RANGE")
    if value is None:
        return True
    if '"' in value:
        return value.strip() == entity_tag(resource)
    return parse_date(value) == _seconds(resource.modified)


def _matches(header: str, resource: Resource | None, *, strong: bool) -> bool:
    """Whether the list of entity tags in ``header``, or ``*``, matches the resource."""
    if header.strip() == "*":
        return resource is not None
    if resource is None or not resource.etag:
        return False
    tags, at = [], 0
    while match := _ENTITY_TAG.match(header, at):
        tags.append(match[1])
        at = match.end()
    if not strong:
        tags = [tag.removeprefix("W/") for tag in tags]
    return entity_tag(resource) in tags


def _date_in(request: DavRequest, name: str) -> datetime | None:
    """None where the header is missing, or no date (RFC 9110 §13.1.3: it is ignored then)."""
    value = request.header(name)
    return parse_date(value) if value is not None else None


def _is_modified(date: datetime | None, resource: Resource | None, clock: Clock) -> bool:
    """Whether If-Unmodified-Since with this date fails.

    RFC 9110 §13.1.4 allows all dates from the time of the file on. Of those that aren't this time,
    a date only counts if the file was also written before it, by the time that the store keeps. In
    the future, a date can be nothing but the time of another version, which a client has set.
    """
    if date is None or resource is None:
        return date is not None
    shown = _seconds(resource.modified)
    written = _seconds(resource.row.modified) if resource.row else shown
    return date != shown and not max(shown, written) < date <= clock()


def _seconds(moment: datetime) -> datetime:
    """Without microseconds, as in HTTP dates."""
    return moment - timedelta(microseconds=moment.microsecond)


class Lookups:
    """What is at the paths that a request's conditions name, for one check of them.

    Nothing is looked up twice in the same place, however many conditions name it. For one thread.
    """

    def __init__(
        self,
        cached: Find,
        current: Find,
        may_be_cached: Callable[[ResourcePath], bool],
        found: Mapping[ResourcePath, Resource | None],
    ) -> None:
        """``cached`` answers from the cache, ``current`` from the store; ``found``: results that
        aren't looked up again."""
        self._cached = cached
        self._current = current
        self._may_be_cached = may_be_cached
        self._found = dict(found)
        self._cached_paths: set[ResourcePath] = set()

    def find(self, path: ResourcePath) -> Resource | None:
        """What is at ``path``."""
        if path not in self._found:
            is_cached = self._may_be_cached(path)
            self._found[path] = (self._cached if is_cached else self._current)(path)
            if is_cached:
                self._cached_paths.add(path)
        return self._found[path]

    def invalidate_cached(self) -> bool:
        """Drops what came from the cache, and asks only the store from now on. Returns whether
        anything had come from the cache."""
        was_cached = bool(self._cached_paths)
        for path in self._cached_paths:
            del self._found[path]
        self._cached_paths.clear()
        self._may_be_cached = lambda _: False
        return was_cached
