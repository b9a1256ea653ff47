"""``python -m davbridge`` and the console script."""

import sys

from davbridge.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
