"""All scenarios, in the order of the table."""

from typing import Any

from tests.endurance.base import Scenario
from tests.endurance.model import MODEL

SCENARIOS: tuple[Scenario[Any], ...] = (MODEL,)
