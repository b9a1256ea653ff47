"""What the tests of the methods say and ask in one word: bodies, locks, what is in the bucket."""

from davbridge.store.base import Attributes
from davbridge.store.memory import MemoryStore
from tests.support.bodies import lock_info
from tests.support.bridge import Answer, Bridge, Client
from tests.support.waiting import until

OWNER = "<D:owner><D:href>me</D:href></D:owner>"

EXCLUSIVE = lock_info("exclusive", OWNER)

SHARED = lock_info("shared", OWNER)


def fill(store: MemoryStore, *names: str) -> None:
    for name in names:
        store.put_object(name, name.encode(), Attributes("text/plain"))


def prop(*names: str) -> str:
    inside = "".join(f'<p:{name} xmlns:p="urn:p"/>' for name in names)
    return f'<D:propfind xmlns:D="DAV:"><D:prop>{inside}</D:prop></D:propfind>'


def patch(instruction: str, inside: str) -> str:
    return (
        f'<D:propertyupdate xmlns:D="DAV:" xmlns:p="urn:p"><D:{instruction}><D:prop>{inside}'
        f"</D:prop></D:{instruction}></D:propertyupdate>"
    )


def lock(client: Client, target: str, body: str = EXCLUSIVE, **headers: str) -> str:
    answer = client("LOCK", target, body, headers={k.title(): v for k, v in headers.items()})
    assert answer.status in (200, 201), answer
    return answer.header("Lock-Token").strip("<>")


def text(answer: Answer, href: str, name: str, namespace: str = "DAV:") -> str | None:
    element = answer.property(href, f"{{{namespace}}}{name}")
    assert element is not None, (href, name, answer.body)
    return element.text


def wait_for_usage(bridge: Bridge) -> None:
    until(lambda: bridge.namespace.used_bytes() is not None)


RESERVED = "/.davbridge.properties.json"
