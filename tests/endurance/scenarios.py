"""All scenarios, in the order of the table."""

from typing import Any

from tests.endurance.base import Scenario
from tests.endurance.crossings import CROSSINGS
from tests.endurance.disconnects import DISCONNECTS
from tests.endurance.faults import FAULTS
from tests.endurance.killed_moves import KILLED_MOVES
from tests.endurance.kills import KILLS
from tests.endurance.large import LARGE
from tests.endurance.load import LOAD
from tests.endurance.model import MODEL
from tests.endurance.overlaps import OVERLAPS
from tests.endurance.pauses import PAUSES
from tests.endurance.races import RACES
from tests.endurance.slow_clients import SLOW_CLIENTS
from tests.endurance.starvation import STARVATION

SCENARIOS: tuple[Scenario[Any], ...] = (
    MODEL,
    OVERLAPS,
    FAULTS,
    KILLS,
    KILLED_MOVES,
    PAUSES,
    RACES,
    CROSSINGS,
    DISCONNECTS,
    LARGE,
    LOAD,
    SLOW_CLIENTS,
    STARVATION,
)
