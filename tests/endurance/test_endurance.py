"""The short form of each scenario. The long forms: ``python3 tests/soak.py``."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.endurance.base import Ground, Scenario
from tests.endurance.main import SEED
from tests.endurance.scenarios import SCENARIOS
from tests.support.endpoints import Endpoint

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[each.name for each in SCENARIOS])
def test_each_short_scenario_keeps_its_promise(
    scenario: Scenario[Any], seaweedfs: Endpoint, tmp_path: Path
) -> None:
    told: list[str] = []
    ground = Ground(seaweedfs, tmp_path, SEED, told.append)
    result = scenario.run(ground, scenario.short)
    assert result.broken == (), f"seed {SEED}; {told}"
