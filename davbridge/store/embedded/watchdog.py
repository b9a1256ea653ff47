"""Ends SeaweedFS when davbridge has ended, in whatever way. Run as a script of its own.

``python -I -S watchdog.py LIMIT COMMAND…`` starts COMMAND, and ends it once its own standard
input is at its end: the operating system closes that pipe when davbridge stops, crashes or is
killed, on every system alike. After LIMIT seconds of asking it kills. Its exit status is the
command's (1 where a signal ended it).

Imports the standard library alone. Files and sockets that the command makes are its user's alone.
Every inheritable descriptor is left open in the command: the lock of
the data folder is held as long as the command lives.
"""

import os
import signal
import subprocess
import sys
import threading


def main(limit: float, command: list[str]) -> int:
    """Runs ``command`` until it ends or has to."""
    # SeaweedFS has sockets in /tmp.
    os.umask(0o077)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, close_fds=False)
    # A handler, unlike SIG_IGN, is not inherited, and hands the signal on.
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    threading.Thread(target=_end_with_input, args=(child, limit), daemon=True).start()
    status = child.wait()
    return status if status >= 0 else 1


def _end_with_input(child: "subprocess.Popen[bytes]", limit: float) -> None:
    # os.read, because a daemon thread inside sys.stdin would hold its lock at the exit.
    while os.read(0, 1):
        pass
    child.terminate()
    try:
        child.wait(limit)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
