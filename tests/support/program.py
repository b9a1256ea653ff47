"""What the long programs of the tests (the benchmark, the soak) have in common as programs."""

import argparse
import logging
import signal
import sys
import time
from collections.abc import Callable, Sequence


def list_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    """Parses ``A,B`` for argparse; each must be known."""

    def parse(text: str) -> list[str]:
        chosen = [each.strip() for each in text.split(",")]
        unknown = [each for each in chosen if each not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return chosen

    return parse


def tell(line: str) -> None:
    """A line of progress."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()


def run(main: Callable[[Sequence[str]], int]) -> None:
    """Ends the process with what ``main`` makes of its arguments."""
    logging.disable(logging.CRITICAL)
    # Servers end with whatever ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
