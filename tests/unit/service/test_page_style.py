"""The page can be read: the contrast of every text with what it stands on, as WCAG 2 reckons it, in both schemes."""

from __future__ import annotations

import re

import pytest

from daemon.service.page_style import DARK, LIGHT, STYLE

TEXT = ("ink", "dim", "accent", "ok", "warn", "bad", "info")
ENOUGH, OF_DRAWINGS = 4.5, 3.0


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def schemes() -> list[dict[str, str]]:
    """As the browser gets them: from the style sheet, not from the tables it is made of."""
    found = [dict(re.findall(r"--([\w-]+):(#[0-9a-f]{6});", block)) for block in re.findall(r":root\{([^}]*)\}", STYLE)]
    assert found == [LIGHT, DARK]
    return found


@pytest.mark.parametrize("colours", schemes(), ids=["light", "dark"])
def test_every_text_can_be_read(colours: dict[str, str]) -> None:
    for ground in ("ground", "card"):
        poor = {name: contrast(colours[name], colours[ground]) for name in TEXT}
        assert {name: ratio for name, ratio in poor.items() if ratio < ENOUGH} == {}, ground
    assert contrast(colours["on-accent"], colours["accent"]) >= ENOUGH


@pytest.mark.parametrize("colours", schemes(), ids=["light", "dark"])
def test_every_bar_can_be_seen(colours: dict[str, str]) -> None:
    poor = {name: contrast(colours[name], colours["card"]) for name in ("bar", "bar2", "bad", "ink")}
    assert {name: ratio for name, ratio in poor.items() if ratio < OF_DRAWINGS} == {}


def test_every_colour_that_is_used_is_there() -> None:
    assert set(re.findall(r"var\(--([\w-]+)\)", STYLE)) == set(LIGHT) == set(DARK)


def test_the_contrast_is_reckoned_rightly() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)
