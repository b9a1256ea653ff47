"""The house stands: imports go downwards, and each library has its room."""

import ast
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "davbridge"

FLOORS = {
    "clock": 0,
    "errors": 0,
    "addresses": 1,
    "deadline": 1,
    "paths": 1,
    "waiting": 1,
    "xmltext": 1,
    "config": 2,
    "single_flight": 2,
    "store": 3,
    "cache": 4,
    "tree": 5,
    "access": 6,
    "dav": 6,
    "http": 6,
    "logs": 6,
    "app": 7,
    "arguments": 7,
    "filestore": 7,
    "cli": 8,
    "library": 8,
    "__init__": 9,
    "__main__": 9,
}
"""A room may import itself and what lies on lower floors. ``davbridge`` itself holds the version,
which all may read, and the public names, which it imports when they are first used."""

LIBRARIES = {
    "argparse": r"arguments",
    "argon2": r"access\..*",
    "bcrypt": r"access\..*",
    "boto3": r"store\.s3\..*",
    "botocore": r"store\.s3\..*",
    "cheroot": r"http\.connections\.manager",
    "cryptography": r"store\.embedded\.security",
    "mypy_boto3_s3": r"store\.s3\..*",
    "urllib3": r"store\.s3\..*",
    "wsgidav": r"app|dav\..*",
    "wsgiref": r"app|access\..*|dav\..*|http\..*",
}
"""Which modules may import what, as a pattern."""


ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.getenvb"}


class Module(NamedTuple):
    name: str
    """Below ``davbridge.``; the package itself is ``__init__``."""
    tree: ast.Module

    @property
    def room(self) -> str:
        return self.name.split(".")[0]


def modules() -> list[Module]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        # A room's __init__ has a name of its own, so that patterns for its modules match it.
        found.append(Module(".".join(parts), ast.parse(path.read_text(encoding="utf-8"))))
    return found


MODULES = modules()


def imports(module: Module) -> Iterator[str]:
    """The full names of what a module imports, at its top or anywhere else."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.name} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def uses(module: Module) -> Iterator[str]:
    """The dotted names that a module reads: ``os.environ``, ``print``."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute | ast.Name):
            yield ast.unparse(node)
    yield from imports(module)


def test_every_room_is_on_a_floor() -> None:
    assert {module.room for module in MODULES} == set(FLOORS)


def test_imports_go_downwards() -> None:
    upwards = [
        f"{module.name} imports {name}"
        for module in MODULES
        for name in imports(module)
        if name.startswith("davbridge.") and name != "davbridge.__version__"
        if not is_below(name.split(".")[1], module.room)
    ]
    assert upwards == []


def is_below(room: str, other: str) -> bool:
    return room == other or FLOORS[room] < FLOORS[other]


def test_imports_inside_the_s3_store_go_downwards() -> None:
    layers = ("messages", "transport", "bucket", "object_requests", "setup", "store")

    def layer(name: str) -> int:
        part = name.removeprefix("store.s3.").split(".")[0]
        return layers.index(part) if part in layers else len(layers)

    upwards = [
        f"{module.name} imports {name}"
        for module in MODULES
        if module.name.startswith("store.s3.")
        for name in imports(module)
        if name.startswith("davbridge.store.s3.")
        if layer(name.removeprefix("davbridge.")) > layer(module.name)
    ]
    assert upwards == []


def test_imports_inside_the_http_server_go_downwards() -> None:
    floors = {
        "errors": 0,
        "middleware": 1,
        "protocol": 1,
        "workers": 1,
        "connections": 2,
        "server": 3,
    }

    def part(name: str) -> str:
        return name.removeprefix("http.").split(".")[0]

    inside = [module for module in MODULES if module.room == "http"]
    assert {part(module.name) for module in inside} == {*floors, "__init__"}
    upwards = [
        f"{module.name} imports {name}"
        for module in inside
        for name in imports(module)
        if name.startswith("davbridge.http.")
        for own, other in [(part(module.name), part(name.removeprefix("davbridge.")))]
        if own == "__init__" or (own != other and floors[other] >= floors[own])
    ]
    assert upwards == []


def test_imports_between_journals_steps_and_operations_go_downwards() -> None:
    layers = {"journal": 0, "steps": 1, "operations": 2}

    def layer(name: str) -> int:
        part = name.removeprefix("tree.").split(".")[0]
        return layers[part] if name.startswith("tree.") and part in layers else -1

    upwards = [
        f"{module.name} imports {name}"
        for module in MODULES
        for name in imports(module)
        if layer(name.removeprefix("davbridge.")) > layer(module.name) >= 0
    ]
    assert upwards == []


def test_a_library_stays_in_its_room() -> None:
    strays = [
        f"{module.name} imports {name}"
        for module in MODULES
        for name in imports(module)
        if not re.fullmatch(LIBRARIES.get(name.split(".")[0], ".*"), module.name)
    ]
    assert strays == []


def test_the_settings_alone_read_the_environment() -> None:
    # The embedded store hands its child process a copy.
    readers = {module.name for module in MODULES if ENVIRONMENT & set(uses(module))}
    assert {reader for reader in readers if not reader.startswith("config.")} <= {
        "store.embedded.process"
    }
    assert "config.load" in readers


def test_the_command_line_alone_prints() -> None:
    assert {module.name for module in MODULES if "print" in uses(module)} == {"cli"}


def test_both_request_servers_reach_the_namespace_through_the_provider() -> None:
    users = {
        module.name
        for module in MODULES
        if module.room == "dav" and any(".namespace" in use for use in uses(module))
        if not module.name.startswith("dav.resources.")
    }
    # Whoever builds the application passes the namespace to the provider.
    assert users == {"dav.provider", "dav.application"}


def test_every_module_says_what_it_is() -> None:
    assert [module.name for module in MODULES if not ast.get_docstring(module.tree)] == []


def test_every_imported_package_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = project["dependencies"] + project["optional-dependencies"]["embedded"]
    declared = {re.split(r"[^\w.-]", requirement)[0].lower() for requirement in requirements}
    distributions = packages_distributions()
    # Types exist while types are checked, and belong to the tests' dependencies.
    imported = {name.split(".")[0] for module in MODULES for name in imports(module)}
    imported -= {"davbridge", "mypy_boto3_s3", *sys.stdlib_module_names}
    undeclared = {
        name for name in imported if not {d.lower() for d in distributions[name]} & declared
    }
    # boto3's own half, which it pins.
    assert undeclared <= {"botocore"}


@pytest.mark.parametrize(
    "lock", ["deploy/requirements.txt", "deploy/build-requirements.txt", "tests/requirements.txt"]
)
def test_a_lock_file_holds_pins_with_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "//" not in text
    requirements = [block for block in re.split(r"\n(?=\S)", text) if not block.startswith("#")]
    assert requirements
    for requirement in requirements:
        assert re.match(r"[\w.-]+==[\w.]+( ; .*)? \\\n    --hash=sha256:", requirement), requirement


def test_no_two_test_modules_have_the_same_name() -> None:
    """pytest can't collect both in one run."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
