"""A cheroot that says hello: what its HTTP costs before anybody has done anything.

``GET /`` answers five bytes; ``GET /N`` answers N of them. With ``--pin`` it keeps to one core:
its threads then don't fight over the interpreter.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from cheroot.wsgi import Server


def hello(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    size = environ["PATH_INFO"].strip("/")
    body = b"x" * int(size) if size else b"hello"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pin", action="store_true")
    if parser.parse_args().pin and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    server = Server(("127.0.0.1", 0), hello)
    server.prepare()
    sys.stdout.write(f"hello is ready: http://127.0.0.1:{server.bind_addr[1]}/\n")
    sys.stdout.flush()
    try:
        server.serve()
    except KeyboardInterrupt:
        server.stop()


if __name__ == "__main__":
    main()
