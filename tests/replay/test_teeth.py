"""Whether the suite can tell a good server from stock WsgiDAV where that matters most."""

import ast
import re
from pathlib import Path

import pytest

WARNED = {
    "a body cut short is committed": r"rule_06",
    "an untagged If list is evaluated for the Destination": r"rule_07",
    "a tagged If is not evaluated": r"rule_08",
    "a Lock-Token on PUT is not accepted": r"rule_09",
    "allprop is too long for Explorer": r"explorer_19_rule_12",
    "getetag is not quoted": r"rule_13",
    "a condition on what is missing is ignored": r"rule_14",
    "Depth: infinity is walked": r"rule_15",
    "a Destination is decoded before it is split": r"names_54_rule_16",
    "XML in chunks is left unread": r"rule_17",
    "LOCK is not in Allow": r"rule_19",
    "a Destination with the public origin is refused": r"proxy_20",
}
"""What stock WsgiDAV is known to get wrong, and the cases that show it."""


@pytest.mark.parametrize("defect", WARNED)
def test_each_known_defect_of_stock_wsgidav_has_a_case_that_it_must_fail(defect: str) -> None:
    """That it does fail it, is seen to when the case is run."""
    assert any(re.search(WARNED[defect], name) for name in cases_that_stock_fails())


def cases_that_stock_fails() -> list[str]:
    return [
        function.name
        for path in Path(__file__).parent.glob("test_*.py")
        for function in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(function, ast.FunctionDef)
        and any(ast.unparse(each).startswith("stock_fails(") for each in function.decorator_list)
    ]
