"""What sockets are told in more than one place."""

import socket
import struct


def reset_at_close(sock: socket.socket) -> None:
    """Its end will be an RST, not a FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
