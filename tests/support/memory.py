"""How much memory Python's objects take."""

import gc
import tracemalloc
from collections.abc import Callable


def bytes_taken_by(act: Callable[[], object]) -> int:
    """Bytes that ``act`` leaves behind."""
    gc.collect()
    tracemalloc.start()
    try:
        act()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def peak_of(act: Callable[[], object]) -> int:
    """Bytes that ``act`` takes at its peak."""
    gc.collect()
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
