"""Work as clients do it, of all verbs, on a few files and trees, each step checked.

A worker has a folder to itself, and keeps book of what may be in it. Must not know what goes wrong
meanwhile, if anything does: see faults and load.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import md5
from itertools import count
from random import Random

from tests.endurance.possible import TRIES, Body, Bookkeeper
from tests.support.bodies import lock_info
from tests.support.buckets import Bucket

MIB = 1024 * 1024

FILES = [f"file-{number}.txt" for number in range(6)]

PAINTED = "painted.txt"
"""It is there from the beginning, is written anew and painted, and never deleted."""

LOCK = lock_info()

BRANCHES = ("a.txt", "b.txt", "deep/c.txt")


@dataclass
class Worker:
    """Takes one step after the other, as chance has it."""

    book: Bookkeeper
    random: Random
    large_one_in: int
    """Of the files that are written: more than a part."""
    colours: set[str | None] = field(default_factory=lambda: {None})
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def begin(self) -> None:
        self.book.may_be |= {name: {None} for name in FILES}
        self.book.insist("MKCOL", "", (201,), (405,))
        self.put_for_sure(PAINTED)

    def take(self, steps: int) -> None:
        does, weights = zip(*STEPS, strict=True)
        for step in self.random.choices(does, weights, k=steps):
            step(self)

    def end(self) -> None:
        """Looks at everything, once nothing fails any more."""
        for name in list(self.book.may_be):
            self.book.look(name)
        self.book.look_at_paint(PAINTED, self.colours)
        self.book.look_around()

    def differences(self, bucket: Bucket) -> list[str]:
        """Between the book and what the bucket has."""
        below = bucket.below(self.book.folder.removeprefix("/"))
        found = below.etags()
        return [
            f"{self.book.folder}{name} is another in the bucket"
            for name, bodies in self.book.may_be.items()
            if found.get(name) not in map(etag_of, bodies)
            # Of a file in parts the entity tag says nothing of the bytes.
            if name not in found or below.get(name).body not in bodies
        ]

    def body(self) -> bytes:
        """Like no other."""
        size = self.random.randrange(2000)
        if self.random.random() * self.large_one_in < 1:
            size = 9 * MIB + self.random.randrange(MIB)
        return b"%d %b" % (next(self.numbers), self.random.randbytes(size))

    def some(self, is_fit: Callable[[set[Body]], bool]) -> str | None:
        """A file that may be what is asked for; None where there is none."""
        fit = [name for name in FILES if is_fit(self.book.may_be[name])]
        return self.random.choice(fit) if fit else None

    # Steps

    def put_any(self) -> None:
        self.put(self.random.choice([*FILES, PAINTED]))

    def put(self, name: str) -> None:
        body = self.body()
        self.book.change("PUT", name, (201, 204), {name: body}, body)

    def put_for_sure(self, name: str) -> None:
        """Until it is there, and known which."""
        for _ in range(TRIES):
            self.put(name)
            if is_certain(self.book.may_be[name]):
                return
        self.book.note(f"PUT {name} isn't done after {TRIES} tries")

    def create(self) -> None:
        if name := self.some(lambda bodies: bodies == {None}):
            body = self.body()
            self.book.change("PUT", name, (201,), {name: body}, body, if_none_match="*")

    def update(self) -> None:
        name = self.some(is_certain)
        if name and (etag := self.book.look(name)):
            body = self.body()
            self.book.change("PUT", name, (204,), {name: body}, body, if_match=etag)

    def read(self) -> None:
        if name := self.some(lambda _: True):
            self.book.look(name)

    def read_part(self) -> None:
        name = self.some(is_certain)
        if name and (size := len(self.only_body(name))):
            start = self.random.randrange(size)
            self.book.look_at_part(name, start, self.random.randint(start + 1, size))

    def save_under_a_lock(self) -> None:
        """As Office does it."""
        if not (name := self.some(is_certain)):
            return
        answer = self.book.ask("LOCK", name, LOCK, timeout="Second-60")
        if answer is None:
            return
        if answer.status != 200:
            self.book.note(f"LOCK {name}", answer)
            return
        token = answer.header("Lock-Token")
        body = self.body()
        self.book.change("PUT", name, (204,), {name: body}, body, If=f"({token})")
        self.book.insist("UNLOCK", name, (204,), (), lock_token=token)

    def list_all(self) -> None:
        self.book.look_around()

    def delete(self) -> None:
        if name := self.some(is_certain):
            self.book.change("DELETE", name, (204,), {name: None})

    def copy(self) -> None:
        source, target = self.some(is_certain), self.some(lambda _: True)
        if source and target and source != target:
            body = self.only_body(source)
            there = self.book.folder + target
            self.book.change("COPY", source, (201, 204), {target: body}, destination=there)

    def move(self) -> None:
        source, target = self.some(is_certain), self.some(lambda _: True)
        if source and target and source != target:
            body = self.only_body(source)
            there, becomes = self.book.folder + target, {target: body, source: None}
            self.book.change("MOVE", source, (201, 204), becomes, destination=there)
            self.require_either(body, source, target)

    def paint(self) -> None:
        self.book.paint(PAINTED, self.colours, f"colour {next(self.numbers)}")

    def look_at_paint(self) -> None:
        self.book.look_at_paint(PAINTED, self.colours)

    def carry_a_tree(self) -> None:
        """Grows a tree, moves or copies it, and fells what there is then."""
        source, target = (f"tree-{next(self.numbers)}/" for _ in range(2))
        self.grow(source)
        bodies = {name: self.only_body(source + name) for name in BRANCHES}
        method = self.random.choice(["MOVE", "COPY"])
        self.book.insist(method, source, (201,), (204, 404), destination=self.book.folder + target)
        for name, body in bodies.items():
            self.book.may_be[target + name] = {body}
            if method == "MOVE":
                self.book.may_be[source + name] = {None}
        for tree in (source, target):
            for name in BRANCHES:
                self.book.look(tree + name)
        self.fell(target)
        if method == "COPY":
            self.fell(source)

    def grow(self, tree: str) -> None:
        for folder in (tree, f"{tree}deep/"):
            self.book.insist("MKCOL", folder, (201,), (405,))
        for name in BRANCHES:
            self.put_for_sure(tree + name)

    def fell(self, tree: str) -> None:
        self.book.insist("DELETE", tree, (204,), (404,))
        for name in BRANCHES:
            self.book.may_be[tree + name] = {None}
            self.book.look(tree + name)
            del self.book.may_be[tree + name]  # its name never comes back

    def only_body(self, name: str) -> bytes:
        """Of a file that is there, and known."""
        (body,) = self.book.may_be[name]
        assert body is not None
        return body

    def require_either(self, body: Body, source: str, target: str) -> None:
        """However a move ended, the file is at one of its two places."""
        for _ in range(TRIES):
            if all(is_known(self.book.may_be[name]) for name in (source, target)):
                break
            self.book.look(source)
            self.book.look(target)
        if body not in self.book.may_be[source] | self.book.may_be[target]:
            self.book.note(f"{source} is at neither end of its move to {target}")


def etag_of(body: Body) -> str | None:
    """Of a file that was written in one piece."""
    return None if body is None else f'"{md5(body, usedforsecurity=False).hexdigest()}"'


def is_known(bodies: set[Body]) -> bool:
    return len(bodies) == 1


def is_certain(bodies: set[Body]) -> bool:
    """Whether there is such a file, and it is known which."""
    return is_known(bodies) and None not in bodies


STEPS: tuple[tuple[Callable[[Worker], None], int], ...] = (
    (Worker.put_any, 20),
    (Worker.create, 10),
    (Worker.update, 10),
    (Worker.read, 25),
    (Worker.read_part, 10),
    (Worker.save_under_a_lock, 4),
    (Worker.list_all, 20),
    (Worker.delete, 8),
    (Worker.copy, 8),
    (Worker.move, 8),
    (Worker.paint, 4),
    (Worker.look_at_paint, 4),
    (Worker.carry_a_tree, 1),
)
"""With their weights. A tree takes dozens of requests."""
