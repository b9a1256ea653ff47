"""Clients that take what others need, beside one that asks for little: it is answered rightly.

One kind after the other besieges a bridge of its own: slow uploads, two of which announce 800 GiB;
reads that hang in the store; guessed passwords; locks without end; and files up to the quota. The
healthy client comes from another address, and has another name. How long it waits isn't judged: a
request that has no right answer after PATIENCE is as good as none.
"""

import http.client
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from functools import partial
from itertools import count
from random import Random
from typing import NamedTuple

from davbridge.access.passwords import hash_password
from tests.endurance import greedy
from tests.endurance.base import Ground, Result, Scenario
from tests.endurance.greedy import MIB, Greedy, Login, Target
from tests.support.bodies import lock_info
from tests.support.bridge import Answer, Client
from tests.support.buckets import Bucket, fresh_bucket
from tests.support.operations import operation_of
from tests.support.pauses import wait_for
from tests.support.s3proxy import Drop, Fault, Request, S3Proxy, s3_proxy
from tests.support.served import served

PATIENCE = 60.0
"""Seconds."""

HELD_SECONDS = 600.0
"""In which a store that hangs says nothing, and a bridge doesn't give it up."""

HANG_SECONDS = 2.0
"""After which no more reads come that hang."""

MOST_WRONG = 2
"""Answers, after which the rest needn't be asked for: that may take PATIENCE each."""

OWNER, GUEST = Login("owner", "a secret"), Login("guest", "another secret")
NEW = [Login(f"new-{number}", f"secret {number}") for number in range(12)]
"""They log in for the first time meanwhile."""

QUOTA = 40 * MIB
LARGE = 6 * MIB
"""Of a file that is written up to the quota."""

BODY = 2 * MIB
"""Bytes of the healthy client's file: more than a bridge keeps for one request anyway."""


class Size(NamedTuple):
    rounds: int
    """Of the healthy client's, under each siege."""
    locks: int
    """That are asked for before."""


class Siege(NamedTuple):
    """One kind of greed."""

    name: str
    lay: Callable[[Target], AbstractContextManager[Greedy]]
    needs: int = 1
    """Answers to the greedy after which the healthy client begins."""
    hangs: bool = False
    """Whether the store hangs: then what needs none is asked for alone."""
    has_quota: bool = False


class Healthy:
    """The client that asks for little, and what it was answered."""

    def __init__(self, client: Client, random: Random, siege: Siege) -> None:
        self.right = 0
        self.wrong: list[str] = []
        self._client = client
        self._random = random
        self._siege = siege
        self._numbers = count()
        self._new = iter(NEW)

    def prepare(self) -> None:
        """Before the siege."""
        self.require("MKCOL", "/healthy/", 201)
        self.require("MKCOL", "/greedy/", 201)
        self.require("PUT", "/healthy/small", 201, body=b"small")
        self.ask_without_store()
        assert not self.wrong, self.wrong

    def round(self) -> None:
        self.ask_without_store()
        if self._siege.hangs:
            return
        self.log_in()
        self.require("GET", "/healthy/small", 200, content=b"small")
        self.write()
        self.lock()
        self.rename()

    def ask_without_store(self) -> None:
        for method, path in (("OPTIONS", "/"), ("GET", "/.davbridge/ready")):
            self.require(method, path, 200)
        self.require("PROPFIND", "/healthy/", 207, depth="1")

    def log_in(self) -> None:
        if login := next(self._new, None):
            self.require("PROPFIND", "/healthy/", 207, login=login, depth="0")

    def write(self) -> None:
        body = self._random.randbytes(BODY)
        refusals = (507,) if self._siege.has_quota else ()
        if self.require("PUT", "/healthy/large", 201, 204, *refusals, body=body) in (201, 204):
            self.require("GET", "/healthy/large", 200, content=body)

    def lock(self) -> None:
        answer = self.ask("LOCK", "/healthy/small", (200,), lock_info(), Timeout="Second-600")
        if answer:
            token = answer.header("Lock-Token")
            self.require("PUT", "/healthy/small", 204, body=b"small", If=f"({token})")
            self.require("UNLOCK", "/healthy/small", 204, Lock_Token=token)

    def rename(self) -> None:
        name = f"/healthy/{next(self._numbers)}"
        if self.require("PUT", name, 201, *self._refusals(), body=b"1") == 201:
            there = f"http://127.0.0.1:{self._client.port}{name}.new"
            self.require("MOVE", name, 201, destination=there)
            self.require("DELETE", f"{name}.new", 204)

    def _refusals(self) -> tuple[int, ...]:
        return (507,) if self._siege.has_quota else ()

    def require(
        self,
        method: str,
        path: str,
        *statuses: int,
        body: bytes | None = None,
        content: bytes | None = None,
        login: Login = OWNER,
        **fields: str,
    ) -> int:
        """The status, which must be one of these; 0 where it is none of them."""
        answer = self.ask(method, path, statuses, body, content, login, **fields)
        return answer.status if answer else 0

    def ask(
        self,
        method: str,
        path: str,
        statuses: Sequence[int],
        body: bytes | str | None = None,
        content: bytes | None = None,
        login: Login = OWNER,
        **fields: str,
    ) -> Answer | None:
        """The answer, where it is a right one."""
        try:
            answer = self._client(method, path, body, login.header, **fields)
        except (OSError, http.client.HTTPException) as error:
            self._client.close()
            self.wrong.append(f"{method} {path}: {error!r}")
            return None
        if answer.status not in statuses:
            self.wrong.append(f"{method} {path}: {answer.status} {answer.body[:80]!r}")
            return None
        if content is not None and answer.body != content:
            self.wrong.append(f"{method} {path}: {len(answer.body)} bytes that aren't its own")
            return None
        self.right += 1
        return answer


class Hanging:
    """A rule: the store never answers reads of what lies in ``hanging/``."""

    def __init__(self) -> None:
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self._held = 0
        self._held_at = time.monotonic()

    def is_full(self) -> bool:
        """Whether the bridge reads no more of them: as many hang as it lets."""
        return self._held > 0 and time.monotonic() > self._held_at + HANG_SECONDS

    def __call__(self, request: Request) -> Fault | None:
        if "/hanging/" in request.target and operation_of(request) == "GetObject":
            with self._lock:
                self._held += 1
                self._held_at = time.monotonic()
            self._is_over.wait(HELD_SECONDS)
            return Drop()
        return None

    def end(self) -> None:
        self._is_over.set()


def run(ground: Ground, size: Size) -> Result:
    figures, broken = {}, []
    sieges = sieges_of(size)
    with fresh_bucket(ground.store) as whole, s3_proxy(ground.store.url) as proxy:
        proxy.keeps_alive, proxy.keeps_record = True, False
        settings = settings_of((OWNER, GUEST, *NEW))
        for siege in sieges:
            bucket = whole.below(f"{siege.name.replace(' ', '-')}/")
            (ground.folder / siege.name).mkdir()
            healthy, taken = besiege(ground, size, siege, whole, bucket, proxy, settings)
            figures[siege.name] = f"{healthy.right:,} right, {len(healthy.wrong)} wrong ({taken})"
            broken += [f"{siege.name}: {each}" for each in healthy.wrong]
            if siege.has_quota and (used := used_bytes(bucket)) > QUOTA:
                broken.append(f"{siege.name}: {used:,} bytes under a quota of {QUOTA:,}")
    return Result(figures, tuple(broken))


def besiege(
    ground: Ground,
    size: Size,
    siege: Siege,
    whole: Bucket,
    bucket: Bucket,
    proxy: S3Proxy,
    settings: str,
) -> tuple[Healthy, str]:
    """The healthy client, and the answers of the others."""
    for number in range(50):
        bucket.put(f"hanging/{number}", b"x" * 1000)
    proxy.rule = hanging = Hanging()
    settings += f"[drive]\nquota = {QUOTA}\n" if siege.has_quota else ""
    with ExitStack() as stack:
        server = stack.enter_context(
            served(
                whole,
                ground.folder / siege.name,
                prefix=bucket.prefix,
                flags=(),
                settings=settings,
                endpoint_url=proxy.url,
            )
        )
        client = stack.enter_context(closing(Client(server.port, {}, PATIENCE)))
        healthy = Healthy(client, ground.random(siege.name), siege)
        healthy.prepare()
        stack.callback(hanging.end)
        others = stack.enter_context(siege.lay(Target(server.port, GUEST)))
        stack.callback(hanging.end)  # before those end that wait for it
        is_laid = hanging.is_full if siege.hangs else lambda: others.statuses.total() >= siege.needs
        wait_for(is_laid, PATIENCE)
        for _ in ground.rounds(size.rounds):
            if len(healthy.wrong) < MOST_WRONG:
                healthy.round()
        taken = ", ".join(f"{n:,} times {s}" for s, n in sorted(others.statuses.items()))
    return healthy, taken


def sieges_of(size: Size) -> list[Siege]:
    names = [OWNER.name, GUEST.name, *(login.name for login in NEW)]
    return [
        Siege("slow uploads", partial(greedy.slow_uploads, count=22), needs=0),
        Siege("hanging reads", partial(greedy.hanging_reads, clients=40), needs=0, hangs=True),
        Siege("guesses", partial(greedy.guesses, clients=24, names=names), needs=24),
        Siege("locks", partial(greedy.locks, clients=8), needs=size.locks),
        Siege(
            "quota", partial(greedy.large_files, clients=10, size=LARGE), needs=30, has_quota=True
        ),
    ]


def settings_of(logins: Sequence[Login]) -> str:
    lines = ["[s3]", f"read_timeout = {HELD_SECONDS}"]
    for each in logins:
        secret = hash_password(each.password)
        lines += ["[[access.users]]", f'name = "{each.name}"', f'password_hash = "{secret}"']
    return "\n".join([*lines, ""])


def used_bytes(bucket: Bucket) -> int:
    pages = bucket.client.get_paginator("list_objects_v2").paginate(
        Bucket=bucket.name, Prefix=bucket.prefix
    )
    return sum(row["Size"] for page in pages for row in page.get("Contents", ()))


STARVATION = Scenario(
    name="starvation",
    promise="slow, hanging, guessing, locking and greedy clients keep another from no answer",
    short=Size(rounds=2, locks=200),
    long=Size(rounds=100, locks=21_000),
    run=run,
)
