"""One group, and a connector to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from daemon.platforms.action_network import ActionNetwork
from tests.contract.site_action_network import ActionNetworkSite, connected


@pytest.fixture
def site() -> Iterator[ActionNetworkSite]:
    site = ActionNetworkSite()
    yield site
    site.close()
    assert not site.harm()


@pytest.fixture
def network(site: ActionNetworkSite) -> ActionNetwork:
    return connected(site)
