"""LibreOffice: opens a document on the drive, edits it, and saves it where it is."""

import os
import signal
import subprocess
import uuid
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from tests.support.bodies import lock_info
from tests.support.drive import Home
from tests.support.programs import LIMIT, require_program, run

MACRO = Path(__file__).parent / "libreoffice" / "edit.py"

TYPE = "application/vnd.oasis.opendocument.text"
MANIFEST = f"""\
<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" m:version="1.2">
<m:file-entry m:full-path="/" m:media-type="{TYPE}"/>
<m:file-entry m:full-path="content.xml" m:media-type="text/xml"/>
</m:manifest>
"""
OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
CONTENT = f"""\
<o:document-content xmlns:o="{OFFICE}" xmlns:t="{TEXT}" o:version="1.2">
<o:body><o:text><t:p>{{}}</t:p></o:text></o:body></o:document-content>
"""

LOCK = lock_info()


def document(text: str) -> bytes:
    """A text document of one paragraph."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mimetype", TYPE)
        archive.writestr("META-INF/manifest.xml", MANIFEST)
        archive.writestr("content.xml", CONTENT.format(text))
    return file.getvalue()


def text_of(body: bytes) -> str:
    with zipfile.ZipFile(BytesIO(body)) as archive:
        root = fromstring(archive.read("content.xml"))
    return "\n".join("".join(each.itertext()) for each in root.iter(f"{{{TEXT}}}p"))


class LibreOffice:
    """A running LibreOffice, and a Python that has its UNO bindings."""

    def __init__(self, python: str, pipe: str, folder: Path) -> None:
        self._command: list[str | Path] = [python, MACRO, pipe]
        self._folder = folder

    def __call__(self, action: str, *arguments: str) -> str:
        return run([*self._command, action, *arguments], self._folder).rstrip("\n")


@pytest.fixture(scope="module")
def libreoffice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LibreOffice]:
    office, python = require_program("soffice"), "/usr/bin/python3"
    if (
        not Path(python).exists()
        or subprocess.run([python, "-c", "import uno"], check=False).returncode
    ):
        pytest.skip("python3-uno is not installed")
    folder = tmp_path_factory.mktemp("libreoffice")
    pipe = f"davbridge{uuid.uuid4().hex}"
    command = [office, "--headless", "--norestore", f"--accept=pipe,name={pipe};urp;"]
    with subprocess.Popen(
        [*command, f"-env:UserInstallation={(folder / 'profile').as_uri()}"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        libreoffice = LibreOffice(python, pipe, folder)
        try:
            libreoffice("wait")
            yield libreoffice
            libreoffice("quit")
            process.wait(LIMIT)
        finally:
            if process.poll() is None:  # The command starts the program itself, and waits for it.
                os.killpg(process.pid, signal.SIGKILL)


def test_a_document_is_opened_edited_and_saved_where_it_is(
    libreoffice: LibreOffice, home: Home
) -> None:
    url = f"{home.url}letter%20%C3%A4%20%231.odt"
    home.bucket.put("letter ä #1.odt", document("Dear Sir"), TYPE)
    assert libreoffice("open", url) == "Dear Sir"
    with home.server.client() as other:
        target = url.removeprefix(home.server.url)
        assert other("PUT", target, b"an intruder's").status == 423
        libreoffice("save", url, "Dear Madam")
        assert other("PUT", target, b"an intruder's").status == 423
        libreoffice("save", url, "Dear Sir or Madam")
        libreoffice("close", url)
        left = home.bucket.bodies()
        assert set(left) == {"letter ä #1.odt"}
        assert text_of(left["letter ä #1.odt"]) == "Dear Sir or Madam"
        assert home.bucket.get("letter ä #1.odt").content_type == TYPE
        assert other("PUT", target, document("unlocked")).status == 204


def test_a_document_is_saved_under_another_name(libreoffice: LibreOffice, home: Home) -> None:
    url, other = f"{home.url}draft.odt", f"{home.url}final%20%C3%A4%20100%25.odt"
    home.bucket.put("draft.odt", document("first words"), TYPE)
    libreoffice("open", url)
    libreoffice("save-as", url, other)
    libreoffice("save", other, "last words")
    libreoffice("close", other)
    left = home.bucket.bodies()
    assert {name: text_of(body) for name, body in left.items()} == {
        "draft.odt": "first words",
        "final ä 100%.odt": "last words",
    }
    with home.server.client() as client:  # No lock is left.
        for name in (url, other):
            assert client("DELETE", name.removeprefix(home.server.url)).status == 204
    assert home.bucket.bodies() == {}


def test_a_document_that_is_locked_opens_to_be_read(libreoffice: LibreOffice, home: Home) -> None:
    url = f"{home.url}shared.odt"
    home.bucket.put("shared.odt", document("theirs"), TYPE)
    with home.server.client() as other:
        assert other("LOCK", url.removeprefix(home.server.url), LOCK).status == 200
        assert libreoffice("open", url) == "theirs"
        libreoffice("close", url)
    assert {name: text_of(body) for name, body in home.bucket.bodies().items()} == {
        "shared.odt": "theirs"
    }
