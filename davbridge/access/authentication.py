"""All that stands before the drive, as the settings want it. Must not know what is behind."""

from collections.abc import Iterable
from wsgiref.types import WSGIApplication

from davbridge.access.basic import BasicAuth
from davbridge.access.hosts import HostCheck
from davbridge.access.logins import Logins
from davbridge.config import AccessSettings
from davbridge.waiting import Waiting, bounded_wait


def protected(
    app: WSGIApplication,
    settings: AccessSettings,
    origins: Iterable[str] = (),
    waiting: Waiting = bounded_wait,
) -> WSGIApplication:
    """``app`` behind its login. ``origins`` are those that the drive is known under; a thread is
    within ``waiting`` while its login waits for others. Who needs a login isn't helped by another
    name; who passed --insecure knows of who comes."""
    authenticated = BasicAuth(app, settings, Logins(settings.users, waiting=waiting))
    is_open = settings.anonymous and not settings.insecure
    return HostCheck(authenticated, origins) if is_open else authenticated
