"""Puts the login, or the host check, around an application, as the settings say."""

from collections.abc import Iterable
from wsgiref.types import WSGIApplication

from davbridge.access.basic import BasicAuth
from davbridge.access.hosts import HostCheck
from davbridge.access.logins import Logins
from davbridge.config import AccessSettings


def protected(
    app: WSGIApplication,
    settings: AccessSettings,
    origins: Iterable[str] = (),
    logins: Logins | None = None,
) -> WSGIApplication:
    """``app`` behind its login. ``origins`` are the public origins of the drive; ``logins`` are
    those of the users in the settings, unless they are given.

    The host check is for a drive without logins on this machine. With a login it isn't needed, and
    with --insecure the operator has opened the drive to everyone.
    """
    authenticated = BasicAuth(app, settings, logins or Logins(settings.users))
    is_open = settings.anonymous and not settings.insecure
    return HostCheck(authenticated, origins) if is_open else authenticated
