"""What a verb works with: the request, the mount, the locks.

Invariant: a context lives for one request.
"""

from davbridge.dav.conditions import check_http, check_if, is_dated, names_version
from davbridge.dav.errors import RefusalError
from davbridge.dav.guard import Guard
from davbridge.dav.locks import LockStore
from davbridge.dav.once import once
from davbridge.dav.provider import BucketProvider
from davbridge.dav.request import Request
from davbridge.paths import ResourcePath
from davbridge.tree.namespace import Namespace
from davbridge.tree.resource import Resource
from davbridge.tree.terms import Terms

_REMOVING = ("DELETE", "MOVE")
"""Not all of their conditions go through to S3, and none may be judged by what was so a minute
ago."""

_REPLACING = ("PUT", "COPY")
"""Of theirs, all do but the time of the version: that is judged by what is there now, and the very
version that it holds for goes through."""


class Context:
    """That of one request on its way through."""

    def __init__(self, request: Request, provider: BucketProvider, locks: LockStore) -> None:
        self.request = request
        self.provider = provider
        self.locks = locks
        self.guard = Guard(locks, request)

    @property
    def namespace(self) -> Namespace:
        return self.provider.namespace

    @property
    def path(self) -> ResourcePath:
        return self.request.path

    @once
    def resource(self) -> Resource | None:
        """What is at the request's path, or None; looked up once."""
        return self.namespace.find(self.path)

    @property
    def if_match(self) -> str | None:
        """The ETag of the only version that the request is meant for; None where any will do.

        It goes through to the store, which settles races that no look beforehand can.
        """
        request = self.request
        is_bound = names_version(request) or is_dated(request)
        # A collection has no version: its empty tag is none.
        return (self.resource.etag or None) if self.resource and is_bound else None

    @property
    def terms(self) -> Terms:
        """Those of a COPY or MOVE."""
        return Terms(self.if_match, self.request.overwrite)

    def require(self) -> Resource:
        """The resource. Raises RefusalError 404."""
        if self.resource is None:
            raise RefusalError(404, "there is nothing here")
        return self.resource

    def forget_resource(self) -> None:
        """It is looked up again when it is next asked for."""
        del self.resource

    def check_conditions(self) -> bool:
        """Every conditional header. True where the answer is 304; raises RefusalError 412.

        Without one nothing is looked up.
        """
        if not self.request.is_conditional:
            return False
        if self._needs_news:
            self._look_again()
        try:
            return self._conditions_hold()
        except RefusalError:
            if not self._look_again():
                raise
            return self._conditions_hold()

    @property
    def _needs_news(self) -> bool:
        """Whether no condition may be judged by what a kept listing told."""
        method = self.request.method
        return method in _REMOVING or (method in _REPLACING and is_dated(self.request))

    def _conditions_hold(self) -> bool:
        check_if(self.request, self.namespace.find, self.guard.is_locked_with)
        return check_http(self.request, self.resource)

    def _look_again(self) -> bool:
        """Whether the resource is another one than a kept listing told: another bridge may have
        written since. Costs a request."""
        if self.resource is None or self.namespace.is_current(self.resource):
            return False
        self.forget_resource()
        return True
