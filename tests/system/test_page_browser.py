"""The status page as a person sees it: in a real browser, without JavaScript, on a desk and on a phone.

`ROSTERD_TEST_SCREENSHOTS=1` writes what is seen to docs/images/ anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from state.tables import alerts
from tests.machine import needs
from tests.system.page_world import TOKEN, PageWorld

IMAGES = Path(__file__).parents[2] / "docs" / "images"
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-proxy-server"),
)
FIVE = ("strive", "telerivet", "action_network", "colony", "carium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = needs("chromium", "chromium")
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=chromium, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageWorld]:
    """Five connections: one has refused our key for half an hour, one is busy just now; holds, refused pushes."""
    with PageWorld(tmp_path_factory.mktemp("seen"), f'token = "{TOKEN}"', platforms=FIVE, people=24) as made:
        made.sync()
        made.settle()
        made.two_with_one_phone()
        made.refused()
        made.sandbox.faults.add("401", platform="colony", times=None)
        made.sync(after=600)
        made.sync(after=1500)
        made.sandbox.faults.add("503", platform="carium", times=None)
        made.sync(after=60)
        made.hours()
        made.write(lambda tx: tx.db.execute(alerts.insert().values(**_alert(made.now))))
        yield made


def _alert(now: float) -> dict[str, object]:
    hint = "check the user name and the password, then run rosterd check"
    told = {"key": "failed:colony", "kind": "failed", "connection": "colony", "hint": hint, "tries": 0, "due_at": 0.0}
    return told | {"text": "colony refuses our login", "since": now - 2100}


@pytest.fixture
def desk(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900}) as context:
        context.set_default_timeout(5000)
        yield context


def opened(context: BrowserContext, world: PageWorld, path: str = "/") -> Page:
    """A page, which must have asked nobody else for anything, and broken none of its own rules."""
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: asked.append(message.text))
    page.goto(f"http://127.0.0.1:{world.server.port}{path}")
    assert [url for url in asked if not url.startswith(f"http://127.0.0.1:{world.server.port}/")] == []
    return page


def sign_in(page: Page) -> None:
    page.get_by_role("link", name="Sign in").first.click()
    page.get_by_label("The token of this rosterd").fill(TOKEN)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    assert page.get_by_role("button", name="Sign out").is_visible()


# pictures, before anything is decided


@pytest.mark.parametrize(
    ("name", "width", "height", "scheme"),
    [("desktop", 1280, 1500, "light"), ("dark", 1280, 1500, "dark"), ("phone", 390, 1500, "light")],
)
def test_a_picture_of_it(
    browser: Browser, world: PageWorld, tmp_path: Path, name: str, width: int, height: int, scheme: str
) -> None:
    """For the documentation; small enough to be kept in the repository."""
    wanted = "ROSTERD_TEST_SCREENSHOTS" in os.environ
    file = (IMAGES if wanted else tmp_path) / f"status-{name}.png"
    file.parent.mkdir(exist_ok=True)
    with browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme) as context:  # type: ignore[arg-type]
        opened(context, world).screenshot(path=file)
    assert 10_000 < file.stat().st_size < 250_000


# seen


def test_it_is_seen_without_javascript(desk: BrowserContext, world: PageWorld) -> None:
    """The state of it all, in words and numbers; charts that say what they show."""
    page = opened(desk, world)
    assert page.get_by_role("heading", level=1).inner_text() == "1 of 5 connections is not up to date"
    assert page.title() == "Status · rosterd"
    connections = page.get_by_role("table", name="Connections")
    assert connections.get_by_role("row").count() == 6
    colony = connections.get_by_role("row").filter(has_text="colony").inner_text()
    assert "late" in colony
    assert "refused our login" in colony
    assert "failing" in connections.get_by_role("row").filter(has_text="carium").inner_text()
    chart = page.get_by_role("img", name=re.compile("Changes per hour In the last 48 hours"))
    assert (chart.bounding_box() or {})["height"] == 150
    assert page.get_by_role("img", name=re.compile("Opt-out propagation .* the promise of 6 min")).is_visible()
    assert page.get_by_role("table", name="Last runs").get_by_text("balanced").count() > 0


def test_its_style_is_taken(desk: BrowserContext, world: PageWorld) -> None:
    """The one the policy allows by its hash: were it another, all would be black on white."""
    page = opened(desk, world)
    assert page.locator("body").evaluate("node => getComputedStyle(node).backgroundColor") == "rgb(245, 245, 242)"


def test_the_chart_has_its_numbers_as_a_table(desk: BrowserContext, world: PageWorld) -> None:
    page = opened(desk, world)
    table = page.get_by_role("table", name="Opt-out propagation")
    assert not table.is_visible()
    page.get_by_text("As a table").last.click()
    assert table.is_visible()
    assert "over the promise" in table.inner_text()


def test_it_can_be_used_from_the_keyboard(desk: BrowserContext, world: PageWorld) -> None:
    """The first stop leads to the content; each stop is seen."""
    page = opened(desk, world)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize(("width", "scheme"), [(375, "light"), (320, "dark"), (768, "light")])
def test_nothing_is_wider_than_the_screen(browser: Browser, world: PageWorld, width: int, scheme: str) -> None:
    """No page scrolls sideways, also with texts that have no blank in them. What is wide scrolls in its own box."""
    long = "x" * 300
    world.write(lambda tx: tx.connections.put("strive", failures=1, paused_why=long))
    with browser.new_context(viewport={"width": width, "height": 700}, color_scheme=scheme) as context:  # type: ignore[arg-type]
        page = opened(context, world)
        for path in ("/", f"/holds/{world.holds()[0].id}", "/contacts/1", "/sign-in"):
            page.goto(f"http://127.0.0.1:{world.server.port}{path}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    world.write(lambda tx: tx.connections.put("strive", failures=0, paused_why=None))


# done


def test_a_hold_is_decided_by_a_click(desk: BrowserContext, world: PageWorld) -> None:
    """After signing in; uncovered first, as who decides wants to see whom."""
    hold = next(each for each in world.holds() if each.kind == "match")
    page = opened(desk, world)
    page.get_by_role("link", name=f"Decide hold {hold.id}", exact=True).click()
    assert page.get_by_role("button").count() == 0
    sign_in(page)
    assert page.url.endswith(f"/holds/{hold.id}")
    side_by_side = page.get_by_role("table", name="Side by side")
    assert "•••" in side_by_side.inner_text()
    page.get_by_role("button", name="Show names, phones and emails").click()
    assert "•••" not in side_by_side.inner_text()
    page.get_by_role("button", name="Different").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Decided"
    assert hold.id not in {each.id for each in world.holds()}
    page.get_by_role("link", name="To the overview").click()
    assert page.get_by_role("link", name=f"Decide hold {hold.id}", exact=True).count() == 0


def test_what_was_refused_is_tried_again_by_a_click(desk: BrowserContext, world: PageWorld) -> None:
    push = next(push for push in world.outbox() if push.state == "dead" and push.kind == "update")
    page = opened(desk, world)
    assert page.get_by_role("button", name="Retry").count() == 0
    sign_in(page)
    row = page.get_by_role("table", name="Refused pushes").get_by_role("row").filter(has_text=str(push.id))
    assert "custom variables" in row.inner_text()
    row.get_by_role("button", name="Retry").click()
    assert f"Push {push.id} goes with the next run" in page.get_by_role("main").inner_text()
    assert next(each for each in world.outbox() if each.id == push.id).state == "open"


def test_somebody_is_found_and_uncovered(desk: BrowserContext, world: PageWorld) -> None:
    """The address never says whom; out of session nobody is uncovered."""
    page = opened(desk, world)
    page.get_by_label(re.compile("A phone, an email")).fill("+1 202 555 0103")
    page.get_by_role("button", name="Find").click()
    assert re.search(r"/contacts/\d+$", page.url)
    assert "C••• S•••" in page.get_by_role("heading", level=1).inner_text()
    assert page.get_by_role("button", name="Show").count() == 0
    sign_in(page)
    assert re.search(r"/contacts/\d+$", page.url)
    page.get_by_role("button", name="Show names, phones and emails").click()
    assert "+12025550103" in page.get_by_role("table", name="Fields").inner_text()
    assert "city: - → Rome" in page.get_by_role("main").inner_text()
    page.get_by_role("button", name="Sign out").click()
    assert page.get_by_role("link", name="Sign in to decide").is_visible()
