"""From a table of the settings to a connector that works."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from daemon.errors import NeedsPerson
from daemon.platforms import registry
from daemon.sandbox.sandbox import Sandbox
from daemon.settings_platforms import PLATFORMS as SETTINGS
from tests.contract.suite import swept


def settings(sandbox: Sandbox, platform: str, **more: Any) -> Any:
    table = {"platform": platform, **sandbox.about()[platform], "rate": 500.0}
    made = SETTINGS[platform].model_validate({**table, **more})
    made._name = platform
    return made


@pytest.mark.parametrize("platform", SETTINGS)
def test_a_configured_connection_reads_its_account(platform: str) -> None:
    with Sandbox(people=20) as sandbox:
        connector = registry.connect(settings(sandbox, platform), {})
        swept(connector)
        assert connector.platform == platform
        assert connector.capabilities == registry.able(settings(sandbox, platform))
        assert connector.account.endswith(f"@{sandbox.url.removeprefix('http://')}")
        assert connector.calls == len(sandbox.calls(platform))
        connector.close()
        assert not any(sandbox.harm().values())


def test_every_platform_of_the_settings_can_be_connected() -> None:
    assert set(registry.PLATFORMS) == set(SETTINGS)


def test_two_campaigns_behind_one_key_share_its_budget_at_the_lower_rate() -> None:
    with Sandbox(empty=True) as sandbox:
        one, other = settings(sandbox, "strive", rate=4.0), settings(sandbox, "strive", rate=2.0, campaign_id=274)
        elsewhere = settings(sandbox, "telerivet", rate=9.0)
    naps: list[float] = []
    gates: registry.Gates = {}
    shared = registry.budget(one, gates, sleep=naps.append)
    assert registry.budget(other, gates) is shared
    assert registry.budget(elsewhere, gates) is not shared
    shared.acquire()
    shared.acquire()
    assert naps == []
    shared.acquire()
    assert len(naps) == 1


@pytest.mark.parametrize("key", ["k\u00e9y", "two\nlines", "nul\0"])
def test_a_key_that_no_header_can_carry_needs_a_person(key: str) -> None:
    with Sandbox(empty=True) as sandbox:
        table = settings(sandbox, "strive")
    object.__setattr__(table, "api_key", type(table.api_key)(key))
    with pytest.raises(NeedsPerson) as caught:
        registry.connect(table, {})
    assert key not in str(caught.value)


def test_asking_what_a_platform_can_do_loads_no_http_client() -> None:
    """`rosterd --help` and offline checks stay fast."""
    program = "import sys; from daemon.platforms.registry import capabilities; capabilities('strive'); "
    program += "sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
