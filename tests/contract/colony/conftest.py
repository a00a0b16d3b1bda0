"""A company whose contacts may be written, and a connector to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from daemon.platforms.colony import Colony
from tests.contract.site_colony import WRITING, ColonySite


@pytest.fixture
def site() -> Iterator[ColonySite]:
    site = ColonySite(writes=True, paths=WRITING)
    yield site
    site.close()
    assert not site.harm()


@pytest.fixture
def colony(site: ColonySite) -> Colony:
    connector = site.connect()
    assert isinstance(connector, Colony)
    return connector
