"""Writers that race on one name: one of them wins, whole."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.support.drive import Home

WRITERS = 8
ROUNDS = 5

SMALL = [bytes([65 + n]) * (1000 + 50_000 * n) for n in range(WRITERS)]
LARGE = [bytes([65 + n]) * (17 * 1024 * 1024 + n) for n in range(3)]
"""More than a part each: the race is between completions of multipart uploads."""


CREATE = {"If-None-Match": "*"}


def race(
    home: Home, name: str, bodies: Sequence[bytes], headers: dict[str, str] | None = None
) -> list[int]:
    """PUTs all bodies at once; the statuses."""
    barrier = threading.Barrier(len(bodies))

    def put(body: bytes) -> int:
        with home.server.client() as client:
            client("OPTIONS", "/")  # the connection is there
            barrier.wait()
            return client("PUT", home.path + name, body, headers).status

    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(put, bodies))


def winner(home: Home, name: str, bodies: Sequence[bytes]) -> int:
    """Whose body the object is."""
    stored = home.bucket.get(name)
    assert stored.body in bodies
    with home.server.client() as client:
        answer = client("GET", home.path + name)
    assert answer.body == stored.body
    assert answer.header("ETag") == stored.etag
    return bodies.index(stored.body)


def test_racing_puts_leave_one_body_whole(home: Home) -> None:
    for round_ in range(ROUNDS):
        name = f"object-{round_ % 2}"  # new the first time, there the next
        assert set(race(home, name, SMALL)) <= {201, 204}
        winner(home, name, SMALL)
    assert home.bucket.open_uploads() == []


def test_racing_multipart_puts_leave_one_body_whole(home: Home) -> None:
    for _ in range(2):
        assert set(race(home, "large", LARGE)) <= {201, 204}
        winner(home, "large", LARGE)
    assert home.bucket.open_uploads() == []


def test_exactly_one_of_racing_creations_succeeds(home: Home) -> None:
    for round_ in range(ROUNDS):
        name = f"object-{round_}"
        statuses = race(home, name, SMALL, CREATE)
        assert sorted(statuses) == [201] + [412] * (WRITERS - 1)
        assert winner(home, name, SMALL) == statuses.index(201)


def test_exactly_one_of_racing_updates_of_one_version_succeeds(home: Home) -> None:
    for round_ in range(ROUNDS):
        name = f"object-{round_}"
        statuses = race(home, name, SMALL, update(home, name))
        assert sorted(statuses) == [204] + [412] * (WRITERS - 1)
        assert winner(home, name, SMALL) == statuses.index(204)


def test_the_result_of_racing_conditional_multipart_puts_is_of_one_that_succeeded(
    home: Home,
) -> None:
    # Exactly one could, but SeaweedFS lets several through where completions of multipart
    # uploads are conditional and come at the same moment.
    statuses = race(home, "new", LARGE, CREATE)
    assert set(statuses) <= {201, 412}
    assert statuses[winner(home, "new", LARGE)] == 201
    statuses = race(home, "old", LARGE, update(home, "old"))
    assert set(statuses) <= {204, 412}
    assert statuses[winner(home, "old", LARGE)] == 204
    home.bucket.wait_for_uploads([])


def update(home: Home, name: str) -> dict[str, str]:
    """The condition of those who have read the version that this writes."""
    assert race(home, name, [b"the version that all have read"]) == [201]
    return {"If-Match": home.bucket.get(name).etag}
