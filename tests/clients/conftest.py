"""The fixtures that tests of a running davbridge share."""

from tests.support.drive import bucket, home, server, server_folder

__all__ = ["bucket", "home", "server", "server_folder"]
