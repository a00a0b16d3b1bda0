"""Every scenario of the crash matrix, by name."""

from __future__ import annotations

from tests.system.crash import action_network, colony, five, scenarios
from tests.system.crash.people import Scenario

SCENARIOS: dict[str, Scenario] = {
    **scenarios.SCENARIOS,
    **five.SCENARIOS,
    **action_network.SCENARIOS,
    **colony.SCENARIOS,
}
