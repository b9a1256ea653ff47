"""Puts the login, or the host check, around an application, as the settings say."""

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
    """``app`` behind its login. ``origins`` are the public origins of the drive. ``waiting`` gives
    the context in which a thread waits to verify a login.

    The host check is for a drive without logins on this machine. With a login it isn't needed, and
    with --insecure the operator has opened the drive to everyone.
    """
    authenticated = BasicAuth(app, settings, Logins(settings.users, waiting=waiting))
    is_open = settings.anonymous and not settings.insecure
    return HostCheck(authenticated, origins) if is_open else authenticated
