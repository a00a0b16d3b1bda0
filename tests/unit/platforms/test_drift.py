"""Pages by number, over a list whose rows move between two questions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.platforms import drift


class Shelf:
    """Rows in a row. `between` is called before each page is given."""

    def __init__(self, count: int, between: Callable[[Shelf], object] = lambda _: None) -> None:
        self.rows = [str(n) for n in range(count)]
        self.between, self.pages, self.counts = between, 0, False

    def ask(self, page: int, size: int) -> tuple[list[str], int | None]:
        self.between(self)
        self.pages += 1
        return self.rows[(page - 1) * size : page * size], len(self.rows) if self.counts else None

    def walk(self, size: int) -> list[str]:
        return [row for step in drift.steps(self.ask, str, size=size) for row in step.rows]


@pytest.mark.parametrize("size", [2, 3, 4, 7, 25])
@pytest.mark.parametrize("count", [0, 1, 2, 12, 24, 25, 26, 49, 60, 120, 500])
def test_every_row_of_a_still_shelf_comes_once_in_order(size: int, count: int) -> None:
    assert Shelf(count).walk(size) == [str(n) for n in range(count)]


def test_it_costs_a_third_more_than_pages_end_to_end() -> None:
    shelf = Shelf(10_000)
    shelf.walk(25)
    assert 400 < shelf.pages <= 400 * 1.34


def test_a_page_with_nothing_new_is_the_end() -> None:
    shelf = Shelf(0)
    assert shelf.walk(25) == []
    assert shelf.pages == 1


@pytest.mark.parametrize(("count", "pages"), [(0, 1), (1, 1), (25, 1), (26, 2), (44, 2), (100, 6)])
def test_a_shelf_that_tells_its_length_is_not_asked_for_an_empty_page(count: int, pages: int) -> None:
    shelf = Shelf(count)
    shelf.counts = True
    assert shelf.walk(25) == [str(n) for n in range(count)]
    assert shelf.pages <= pages


@given(st.lists(st.integers(0, 10_000), max_size=40), st.integers(13, 25), st.integers(0, 150))
def test_rows_that_leave_their_place_hide_no_other(moves: list[int], size: int, count: int) -> None:
    """One row is taken out before each page, and half of the time put at the end. Those that stay are all shown."""
    moved = set()

    def take_one_out(shelf: Shelf) -> None:
        if moves and shelf.rows:
            move = moves.pop()
            row = shelf.rows.pop(move // 2 % len(shelf.rows))
            moved.add(row)
            if move % 2:
                shelf.rows.append(row)

    shelf = Shelf(count, take_one_out)
    assert set(shelf.walk(size)) >= {str(n) for n in range(count)} - moved


def test_many_rows_that_leave_at_once_hide_no_other() -> None:
    """The way goes back until it meets a row it has shown."""

    def take_many_out(shelf: Shelf) -> None:
        if shelf.pages == 5:
            del shelf.rows[:40]

    assert set(Shelf(200, take_many_out).walk(25)) >= {str(n) for n in range(100, 200)}


def test_a_shelf_that_is_emptied_meanwhile_comes_to_an_end() -> None:
    def empty(shelf: Shelf) -> None:
        if shelf.pages == 3:
            shelf.rows.clear()

    assert len(Shelf(200, empty).walk(25)) > 50


def test_where_it_was_broken_off_it_goes_on() -> None:
    shelf = Shelf(100)
    first = next(drift.steps(shelf.ask, str, size=25))
    rest = [row for step in drift.steps(shelf.ask, str, size=25, at=first.at, last=first.last) for row in step.rows]
    assert first.rows + rest == [str(n) for n in range(100)]


def test_a_server_that_always_gives_the_same_page_is_not_asked_for_ever() -> None:
    pages = []

    def ask(page: int, _: int) -> tuple[list[str], None]:
        pages.append(page)
        return [str(n) for n in range(25)], None

    assert len([row for step in drift.steps(ask, str, size=25) for row in step.rows]) == 25
    assert len(pages) == 2
