"""An HTTP proxy in front of an S3 store that does what networks and stores do at their worst.

A rule looks at each request and may answer it, lose the answer, or cut it short. Without a store
behind it, it is a server of canned answers.
"""

import http.client
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

import trustme

from tests.support.sockets import reset_at_close

LONGEST_WRITE = 300.0
"""Seconds that a store may take for one."""

LONGEST_HOLD = 600.0
"""Seconds that a request is held, and waited for, before a test has failed."""


class Request(NamedTuple):
    method: str
    target: str
    headers: Message
    body: bytes = b""


class Answer(NamedTuple):
    """Instead of the store's."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})


class Cut(NamedTuple):
    """The store's answer, with only so many bytes of its body, and then the end."""

    after: int


class Lose(NamedTuple):
    """The store does what was asked, and the connection breaks before its answer is through."""


class Delay(NamedTuple):
    """The store's answer, some seconds late."""

    seconds: float


class Stall(NamedTuple):
    """The store's answer, with only so many bytes of its body until the event is set."""

    after: int
    is_over: threading.Event


class Drop(NamedTuple):
    """The store is never asked: some seconds of silence, and a reset."""

    seconds: float = 0.0


class Change(NamedTuple):
    """The store's answer, made another one."""

    change: Callable[[Answer], Answer]


class Hold:
    """The store gets the request late: when the test says so. One of these is for one request."""

    def __init__(self, *, is_cut: bool = False) -> None:
        self.is_cut = is_cut
        """Whether the client's connection is reset meanwhile. Else it may give up by itself."""
        self._came = threading.Event()
        self._released = threading.Event()
        self._answered = threading.Event()
        self._answer: Answer | None = None

    def wait_until_held(self) -> None:
        """Returns when the request has come, to its end."""
        assert self._came.wait(LONGEST_HOLD), "no request came to be held"

    def deliver(self) -> Answer:
        """Lets the request go to the store, whose answer this is."""
        self.wait_until_held()
        self._released.set()
        assert self._answered.wait(LONGEST_WRITE), "the store gave no answer"
        assert self._answer is not None, "the store broke off"
        return self._answer

    def forget(self) -> None:
        """The request is lost: the store never gets it."""
        self._answered.set()
        self._released.set()

    def keep(self) -> bool:
        """The side of the proxy: whether the store is to be asked now."""
        self._came.set()
        assert self._released.wait(LONGEST_HOLD), "a request was held for ever"
        return not self._answered.is_set()

    def told(self, answer: Answer | None) -> None:
        """The side of the proxy: what the store said."""
        self._answer = answer
        self._answered.set()


Fault = Answer | Cut | Lose | Delay | Stall | Drop | Change | Hold
Rule = Callable[[Request], Fault | None]


def once(method: str, part: str, *faults: Fault) -> Rule:
    """One fault after the other for requests of ``method`` whose target holds ``part``."""
    rest = list(faults)

    def rule(request: Request) -> Fault | None:
        if request.method == method and part in request.target and rest:
            return rest.pop(0)
        return None

    return rule


def error(code: str, status: int, **headers: str) -> Answer:
    """An S3 error as stores send it."""
    body = f"<Error><Code>{code}</Code><Message>said so</Message></Error>"
    return Answer(status, body.encode(), {"Content-Type": "application/xml", **headers})


def _no_fault(_: Request) -> None:
    """Everything is well."""


@dataclass
class S3Proxy:
    """What stands between a client and a store."""

    upstream: str | None
    url: str = ""
    rule: Rule = _no_fault
    keeps_alive: bool = False
    """Where all is well. A fault always ends its connection."""
    keeps_record: bool = True
    """Of what was asked; a long test has no memory for that."""
    requests: list[Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    _writes: list[Request] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def passing(self, request: Request) -> Iterator[None]:
        """Around what is done about a request, but for the answer."""
        if request.method in ("GET", "HEAD"):
            yield
            return
        with self._changed:
            self._writes.append(request)
        try:
            yield
        finally:
            with self._changed:
                self._writes.remove(request)
                self._changed.notify_all()

    def wait_for_writes(self, part: str) -> None:
        """Until the store has done all that it was asked to, by requests that hold ``part`` in
        their target or body: who asked may have given up before."""
        with self._changed:
            assert self._changed.wait_for(lambda: not self._is_writing(part), LONGEST_WRITE)

    def _is_writing(self, part: str) -> bool:
        return any(part in each.target or part.encode() in each.body for each in self._writes)

    def reset(self) -> None:
        self.rule = _no_fault
        self.requests.clear()
        self.bodies.clear()

    def count(self, method: str) -> int:
        return sum(request.method == method for request in self.requests)


@contextmanager
def s3_proxy(
    upstream: str | None, certificate: trustme.LeafCert | None = None
) -> Iterator[S3Proxy]:
    """A running proxy, on loopback; with a certificate, by TLS."""
    proxy = S3Proxy(upstream)

    class Handler(_Handler):
        pass

    Handler.proxy = proxy
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        proxy.url = proxy.url.replace("http:", "https:")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _with_length(changed: Answer) -> Answer:
    """An answer to HEAD keeps its length: that of the body that it doesn't have."""
    if not changed.body:
        return changed
    names = [name for name in changed.headers if name.lower() != "content-length"]
    return changed._replace(headers={name: changed.headers[name] for name in names})


class _Handler(BaseHTTPRequestHandler):
    proxy: S3Proxy
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        with suppress(ConnectionError):  # who has asked may have given up
            super().handle()

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, self.headers, body)
        if self.proxy.keeps_record:
            self.proxy.requests.append(request)
            self.proxy.bodies.append(body)
        fault, answer = self._do(request)
        self.close_connection = fault is not None or not self.proxy.keeps_alive
        if isinstance(fault, Drop):
            self._drop(fault)
            return
        if isinstance(fault, Hold) and fault.is_cut:
            return  # the connection is gone
        if isinstance(fault, Answer):
            self._answer(fault, fault.body)
            return
        if answer is None or isinstance(fault, Lose):
            return
        if isinstance(fault, Change):
            answer = _with_length(fault.change(answer))
        if isinstance(fault, Delay):
            time.sleep(fault.seconds)
        if isinstance(fault, Stall):
            self._answer(answer, answer.body[: fault.after])
            fault.is_over.wait(LONGEST_WRITE)
            self.wfile.write(answer.body[fault.after :])
            return
        self._answer(answer, answer.body[: fault.after] if isinstance(fault, Cut) else answer.body)

    def _do(self, request: Request) -> tuple[Fault | None, Answer | None]:
        """What befalls a request, and the store's answer, if it is asked."""
        with self.proxy.passing(request):
            fault = self.proxy.rule(request)
            if isinstance(fault, Drop | Answer):
                return fault, None
            if isinstance(fault, Hold):
                return fault, self._hold(fault, request)
            return fault, self._ask_the_store(request)

    def _hold(self, hold: Hold, request: Request) -> Answer | None:
        if hold.is_cut:
            self._reset()
        answer = None
        if hold.keep():
            try:
                answer = self._ask_the_store(request)
            finally:
                hold.told(answer)
        return answer

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_request  # noqa: N815

    def _ask_the_store(self, request: Request) -> Answer:
        assert self.proxy.upstream is not None, f"no rule answers {request}"
        connection = http.client.HTTPConnection(urlsplit(self.proxy.upstream).netloc)
        try:
            headers = dict(request.headers.items())
            connection.request(request.method, request.target, request.body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read(), dict(response.getheaders()))
        finally:
            connection.close()

    def _answer(self, answer: Answer, body: bytes) -> None:
        headers = {"Date": formatdate(usegmt=True), "Content-Length": str(len(answer.body))}
        headers |= {name.title(): value for name, value in answer.headers.items()}
        headers.pop("Transfer-Encoding", None)
        self.send_response_only(answer.status)
        connection = "close" if self.close_connection else "keep-alive"
        for name, value in {**headers, "Connection": connection}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _drop(self, fault: Drop) -> None:
        time.sleep(fault.seconds)
        self._reset()

    def _reset(self) -> None:
        reset_at_close(self.connection)
        self.rfile.close()  # which keeps the socket open
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""
