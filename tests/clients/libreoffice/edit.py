"""Steers a LibreOffice that listens on a pipe: ``python3 edit.py PIPE ACTION [ARGUMENTS]``.

Runs in the Python that has LibreOffice's own bindings (UNO), which is the system's.
"""

import sys
import time
from typing import Any

import uno

START_SECONDS = 90.0


def main(pipe: str, action: str, *arguments: str) -> None:
    desktop = connect(pipe)
    match action, arguments:
        case "wait", ():
            pass
        case "quit", ():
            desktop.terminate()
        case "open", (url,):
            hidden = uno.createUnoStruct("com.sun.star.beans.PropertyValue")
            hidden.Name, hidden.Value = "Hidden", True
            document = desktop.loadComponentFromURL(url, "_blank", 0, (hidden,))
            sys.stdout.write(f"{document.Text.String}\n")
        case "save", (url, text):
            document = opened(desktop, url)
            document.Text.setString(text)
            document.store()
        case "save-as", (url, other):
            opened(desktop, url).storeAsURL(other, ())
        case "close", (url,):
            opened(desktop, url).close(True)
        case _:
            raise SystemExit(f"{action} {arguments}?")


def connect(pipe: str) -> Any:
    """The running LibreOffice's desktop, as soon as it listens."""
    local = uno.getComponentContext()
    resolver = local.ServiceManager.createInstance("com.sun.star.bridge.UnoUrlResolver")
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            remote = resolver.resolve(f"uno:pipe,name={pipe};urp;StarOffice.ComponentContext")
            return remote.ServiceManager.createInstance("com.sun.star.frame.Desktop")
        except uno.getClass("com.sun.star.connection.NoConnectException"):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def opened(desktop: Any, url: str) -> Any:
    """The open document of this URL."""
    documents = desktop.Components.createEnumeration()
    while documents.hasMoreElements():
        document = documents.nextElement()
        if url == document.URL:
            return document
    raise LookupError(f"{url} is not open")


if __name__ == "__main__":
    main(*sys.argv[1:])
