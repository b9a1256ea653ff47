"""A server that says the same to whatever it is asked."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"


@dataclass
class Server:
    """Says the same to every request, or hangs up. Keeps connections open."""

    says: bytes = OK
    reads_bodies: bool = True
    hangs_up_after: int = 1000
    """Answers on one connection."""
    tls: ssl.SSLContext | None = None
    url: str = ""
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    """How many were made."""

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(accepted,), daemon=True).start()

    def _talk(self, sock: socket.socket) -> None:
        try:
            with self.tls.wrap_socket(sock, server_side=True) if self.tls else sock as talking:
                for _ in range(self.hangs_up_after):
                    if not self._answer(talking):
                        return
        except OSError:
            return  # the client has gone

    def _answer(self, sock: socket.socket) -> bool:
        file = sock.makefile("rb")
        head = b""
        while (line := file.readline()) != b"\r\n":
            if not line:
                return False  # the client has gone
            head += line
        self.heads.append(head)
        length = [name for name in head.split(b"\r\n") if name.startswith(b"content-length")]
        if length and self.reads_bodies:
            file.read(int(length[0].partition(b":")[2]))
        sock.sendall(self.says)
        return self.reads_bodies


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    listener = socket.create_server(("127.0.0.1", 0))
    scheme = "https" if server.tls else "http"
    server.url = f"{scheme}://localhost:{listener.getsockname()[1]}"
    thread = threading.Thread(target=server.serve, args=(listener,))
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
