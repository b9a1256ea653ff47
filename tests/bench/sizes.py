"""How much work the scenarios are, in a full run and in a quick one."""

from dataclasses import dataclass

from tests.bench.peers import DAVBRIDGE, Peer


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much work the scenarios are."""

    repetitions: int
    entries: int = 10_000
    folders: int = 50
    files: int = 20
    tree: int = 1_000
    small: int = 100
    saves: int = 20
    stream: int = 256 << 20
    ranges: int = 200
    load_seconds: float = 3.0
    listed: int = 100_000
    uploads: int = 8
    upload: int = 1 << 30
    slow_share: float = 1.0
    """The share of a work that peers are given which would take minutes for all of it."""

    def share(self, whole: int, peer: Peer) -> int:
        return whole if peer is DAVBRIDGE else max(1, round(whole * self.slow_share))


FULL = Sizes(repetitions=3)
QUICK = Sizes(
    repetitions=1,
    load_seconds=1.0,
    listed=20_000,
    upload=64 << 20,
    slow_share=0.1,
)
