"""RFC 4918 §6 and §7, on the lock store of one process."""

import itertools
import random
import threading
from dataclasses import replace

import pytest

from davbridge.dav.locking.limits import FIRST_HOLDER_DIVISOR
from davbridge.dav.locking.locks import Lock, LockConflictError, LockLimitError
from davbridge.dav.locking.memory import (
    MAX_LOCKS,
    MAX_OWNERS_LENGTH,
    MAX_SHARED_LOCKS,
    MemoryLockStore,
)
from davbridge.paths import ResourcePath
from tests.support.memory import bytes_taken_by
from tests.support.steps import steps_of
from tests.support.timer import Timer


def make(token: str, *root: str, exclusive: bool = True, deep: bool = True) -> Lock:
    return Lock(
        token=token,
        root=root,
        is_collection=deep,
        is_exclusive=exclusive,
        is_deep=deep,
        owner="",
        user="u",
        expires=1060.0,
    )


def tokens(locks: list[Lock]) -> list[str]:
    return [lock.token for lock in locks]


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def store(timer: Timer) -> MemoryLockStore:
    return MemoryLockStore(timer)


def test_a_deep_lock_covers_all_inside_and_not_its_neighbours(store: MemoryLockStore) -> None:
    store.acquire(make("t", "a"))
    assert tokens(store.covering(("a",))) == ["t"]
    assert tokens(store.covering(("a", "b", "c"))) == ["t"]
    assert store.covering(("ab",)) == []
    assert store.covering(()) == []
    assert tokens(store.rooted_below(())) == ["t"]
    assert store.rooted_below(("a",)) == []


def test_a_shallow_lock_covers_its_root_alone(store: MemoryLockStore) -> None:
    store.acquire(make("t", "a", deep=False))
    assert tokens(store.covering(("a",))) == ["t"]
    assert store.covering(("a", "b")) == []


@pytest.mark.parametrize(
    ("first", "second", "conflicts"),
    [
        (make("1", "a"), make("2", "a"), True),
        (make("1", "a", exclusive=False), make("2", "a", exclusive=False), False),
        (make("1", "a", exclusive=False), make("2", "a"), True),
        (make("1", "a"), make("2", "a", "b"), True),
        (make("1", "a", deep=False), make("2", "a", "b"), False),
        (make("1", "a", "b"), make("2", "a"), True),
        (make("1", "a", "b"), make("2", "a", deep=False), False),
        (make("1", "a"), make("2", "ab"), False),
    ],
)
def test_locks_conflict_by_scope_and_depth(
    store: MemoryLockStore, first: Lock, second: Lock, conflicts: bool
) -> None:
    store.acquire(first)
    if conflicts:
        with pytest.raises(LockConflictError) as error:
            store.acquire(second)
        assert error.value.locks == (first,)
    else:
        store.acquire(second)


def test_an_expired_lock_is_no_lock(store: MemoryLockStore, timer: Timer) -> None:
    store.acquire(make("old", "a", "b"))
    timer.now = 1060.0
    assert store.covering(("a", "b")) == []
    assert store.refresh("old", 60) is None
    store.acquire(replace(make("new", "a"), expires=1120.0))
    assert tokens(store.rooted_below(())) == ["new"]


def test_a_refresh_starts_the_time_anew(store: MemoryLockStore, timer: Timer) -> None:
    store.acquire(make("t", "a"))
    timer.now = 1050.0
    refreshed = store.refresh("t", 30)
    assert refreshed is not None
    assert refreshed.expires == 1080.0
    timer.now = 1070.0
    assert tokens(store.covering(("a",))) == ["t"]


def test_release_tree_takes_the_root_and_all_below_only(store: MemoryLockStore) -> None:
    for token, root in (("1", ("a",)), ("2", ("a", "b")), ("3", ("ab",))):
        store.acquire(make(token, *root, deep=False))
    store.release_tree(("a",))
    assert tokens(store.rooted_below(())) == ["3"]
    store.release("3")
    store.release("3")
    assert store.rooted_below(()) == []


def test_of_many_threads_that_acquire_a_lock_one_gets_it(store: MemoryLockStore) -> None:
    barrier, granted = threading.Barrier(8), []

    def want(index: int) -> None:
        barrier.wait()
        try:
            store.acquire(make(str(index), "a", *(["b"] if index % 2 else [])))
        except LockConflictError:
            return
        granted.append(index)

    threads = [threading.Thread(target=want, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == 1


def test_a_lock_check_takes_as_many_steps_among_10_000_locks_as_among_ten(
    store: MemoryLockStore,
) -> None:
    def fill(numbers: range) -> None:
        for number in numbers:
            root: ResourcePath = ("folder", str(number % 100), str(number))
            store.acquire(replace(make(str(number), *root), user=str(number % 100)))

    def check() -> None:
        assert tokens(store.covering(("folder", "7", "7", "x"))) == ["7"]

    fill(range(10))
    among_ten = steps_of(check)
    fill(range(10, 10_000))
    assert steps_of(check) == among_ten < 100


def test_a_lock_holds_for_every_unicode_spelling_of_its_root(store: MemoryLockStore) -> None:
    composed, decomposed = "\u00e9", "e\u0301"
    store.acquire(make("t", "d", composed))
    assert tokens(store.covering(("d", decomposed, "inside"))) == ["t"]
    assert tokens(store.rooted_below(("d",))) == ["t"]
    with pytest.raises(LockConflictError):
        store.acquire(make("u", "d", decomposed))
    store.release_tree(("d", decomposed))
    assert store.covering(("d", composed)) == []


def test_locks_that_nobody_looks_at_again_take_no_memory(
    store: MemoryLockStore, timer: Timer
) -> None:
    for number in range(1000):
        store.acquire(make(f"t{number}", f"{number}"))
    timer.now = 1060
    alive = replace(make("alive", "x"), expires=2000.0)
    store.acquire(alive)
    assert store._by_token == {"alive": alive}
    assert store._at.keys() == {("x",)}


def test_live_locks_are_bounded_and_expired_ones_make_room(timer: Timer) -> None:
    store = MemoryLockStore(timer, limit=2)
    store.acquire(replace(make("a", "a"), user="anna"))
    store.acquire(replace(make("b", "b"), user="bob"))
    with pytest.raises(LockLimitError):
        store.acquire(make("c", "c"))
    store.release("a")
    store.acquire(make("c", "c"))
    timer.now = 1060
    store.acquire(replace(make("d", "d"), expires=2000.0))
    assert store._by_token.keys() == {"d"}


def lock_all_it_can(store: MemoryLockStore, user: str, address: str = "") -> int:
    """Locks one new name after another until it is refused; returns how many."""
    before = len(store._by_token)
    for number in itertools.count():
        name = f"{user} {address} {before + number} {store.now()}"
        try:
            store.acquire(replace(make(name, name), user=user, address=address))
        except LockLimitError:
            return number
    raise AssertionError


def test_one_user_takes_a_tenth_of_all_locks_at_the_most() -> None:
    store = MemoryLockStore(Timer())
    assert MAX_LOCKS // 15 < lock_all_it_can(store, "greedy") < MAX_LOCKS // FIRST_HOLDER_DIVISOR
    assert lock_all_it_can(store, "next") > MAX_LOCKS // 20


@pytest.mark.parametrize("is_anonymous", [True, False])
@pytest.mark.parametrize(("greedy", "left"), [(1, 1000), (14, 300), (100, 15)])
def test_after_many_holders_that_took_all_they_could_the_next_can_lock(
    greedy: int, left: int, is_anonymous: bool, timer: Timer
) -> None:
    store = MemoryLockStore(timer)
    for number in range(greedy):
        user, address = ("", f"{number}") if is_anonymous else (f"{number}", "192.0.2.1")
        lock_all_it_can(store, user, address)
    next_user, next_address = ("", "next") if is_anonymous else ("next", "192.0.2.1")
    assert lock_all_it_can(store, next_user, next_address) >= left


def test_a_holder_without_locks_can_lock_until_all_are_taken(timer: Timer) -> None:
    store = MemoryLockStore(timer, limit=100)
    while (free := store._limits.free) > 20:
        lock_all_it_can(store, f"greedy {free}")
    for number in range(free):
        assert lock_all_it_can(store, f"{number}") == 1
    assert lock_all_it_can(store, "next") == 0


def test_users_who_share_an_address_have_a_limit_each(store: MemoryLockStore) -> None:
    """As all do whose requests come through one proxy."""
    lock_all_it_can(store, "greedy", "192.0.2.1")
    store.acquire(replace(make("t", "a"), user="other", address="192.0.2.1"))


def test_a_user_has_one_limit_for_all_addresses(timer: Timer) -> None:
    store = MemoryLockStore(timer, limit=100)
    assert lock_all_it_can(store, "u", "192.0.2.1") == 8
    assert lock_all_it_can(store, "u", "192.0.2.2") == 0


def test_released_and_expired_locks_no_longer_count_for_their_holder(timer: Timer) -> None:
    store = MemoryLockStore(timer, limit=100)
    assert lock_all_it_can(store, "u") == 8
    first, second, *_ = store.rooted_below(())
    store.release(first.token)
    store.release_tree(second.root)
    store.acquire(make("again", "again"))
    store.acquire(make("and again", "and again"))
    with pytest.raises(LockLimitError):
        store.acquire(make("once more", "once more"))
    timer.now = 1060
    for number in range(8):
        store.acquire(replace(make(f"{number}", f"{number}"), expires=2000.0))
    assert store._limits.held == {("u", ""): 8}
    store.release_tree(())
    assert store._limits.held == {}


def test_a_refreshed_lock_counts_once(timer: Timer) -> None:
    store = MemoryLockStore(timer, limit=100)
    assert lock_all_it_can(store, "u") == 8
    token = store.rooted_below(())[0].token
    for _ in range(200):
        for seconds in (600, 30):
            assert store.refresh(token, seconds) is not None
    assert lock_all_it_can(store, "v") == 7
    assert len(store._expiring) == 8 + 7


class CountedToken(str):
    """A lock's token that counts how often any was looked up."""

    looked_up = 0

    def __hash__(self) -> int:
        CountedToken.looked_up += 1
        return super().__hash__()


def test_a_refusal_at_the_limit_does_not_scan_all_locks() -> None:
    store = MemoryLockStore(Timer(), limit=2000)
    names = itertools.count()

    def ask(user: str = "u") -> None:
        name = f"{next(names)}"
        store.acquire(replace(make("", name), token=CountedToken(name), user=user))

    for number in range(1000):
        ask(f"{number}")
    ask()
    while store._limits.may_add(("u", "")):
        ask()
    CountedToken.looked_up = 0
    for _ in range(100):
        with pytest.raises(LockLimitError):
            ask()
    assert CountedToken.looked_up <= 100


def test_locks_expire_in_any_order_and_each_is_dropped_once(timer: Timer) -> None:
    store, choice = MemoryLockStore(timer, limit=10_000), random.Random(1)
    expires: dict[str, float] = {}
    for number in range(2000):
        token = f"{number}"
        expires[token] = timer.now + choice.randrange(1, 100)
        store.acquire(replace(make(token, token), expires=expires[token]))
        if choice.random() < 0.5:
            other, seconds = choice.choice(list(expires)), choice.randrange(1, 100)
            if store.refresh(other, seconds):
                expires[other] = timer.now + seconds
        timer.advance(choice.choice((0, 0, 1)))
        store.acquire(replace(make("now", "now"), expires=timer.now + 1))
        store.release("now")
        expires = {token: at for token, at in expires.items() if at > timer.now}
        assert store._by_token.keys() == expires.keys()
        assert store._expiring == sorted((at, token) for token, at in expires.items())


def test_no_resource_is_covered_by_any_number_of_shared_locks(store: MemoryLockStore) -> None:
    for number in range(MAX_SHARED_LOCKS + 1):
        store.acquire(make(f"t{number}", "a", "b", exclusive=False))
    for root in ((), ("a",), ("a", "b"), ("a", "b", "c")):
        with pytest.raises(LockLimitError):
            store.acquire(make("one more", *root, exclusive=False))
    store.release("t0")
    store.acquire(make("another", "a", exclusive=False))
    store.acquire(make("elsewhere", "c"))


def test_the_owners_of_shared_locks_are_bounded_together(store: MemoryLockStore) -> None:
    """They are shown in the listing of every member that the locks cover."""
    half = replace(make("1", "a", exclusive=False), owner="o" * (MAX_OWNERS_LENGTH // 2))
    store.acquire(half)
    store.acquire(replace(half, token="2"))
    with pytest.raises(LockLimitError):
        store.acquire(replace(half, token="3"))
    store.acquire(make("4", "a", "b", exclusive=False))
    store.acquire(replace(half, token="5", root=("c",), owner="o" * (MAX_OWNERS_LENGTH + 1)))


def test_a_lock_at_the_end_of_a_deep_path_takes_no_more_room_than_its_names() -> None:
    store = MemoryLockStore()
    paths = [(f"top{number}", *["a"] * 500) for number in range(20)]

    def acquire_them() -> None:
        for number, path in enumerate(paths):
            store.acquire(replace(make(str(number), *path), expires=store.now() + 600))

    assert bytes_taken_by(acquire_them) < 20 * 8192
    assert tokens(store.rooted_below(("top7", "a", "a"))) == ["7"]


def test_locks_below_a_path_are_found_after_any_sequence_of_changes(store: MemoryLockStore) -> None:
    choice, segments = random.Random(1), ("a", "a!", "a0", "aa", "b", "\U0010ffff")
    held: dict[str, ResourcePath] = {}
    for number in range(2000):
        if held and choice.random() < 0.4:
            token = choice.choice(list(held))
            store.release(token)
            del held[token]
        root = tuple(choice.choices(segments, k=choice.randrange(4)))
        if root not in held.values():
            store.acquire(make(str(number), *root, deep=False))
            held[str(number)] = root
        path = tuple(choice.choices(segments, k=choice.randrange(3)))
        below = {
            token for token, root in held.items() if len(root) > len(path) == len_common(root, path)
        }
        assert set(tokens(store.rooted_below(path))) == below


def len_common(one: ResourcePath, other: ResourcePath) -> int:
    """Segments that both begin with."""
    return next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
