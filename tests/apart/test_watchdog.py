"""When the engine hangs, and when it only waits."""

from __future__ import annotations

from rtvfi.apart.watchdog import Watchdog

PATIENCE = 6.0
SOON, LATE, LONG = 2.9, 3.1, 15.1
"""Less than half the patience, a little more, and more than two and a half times as much."""


def test_a_picture_that_is_due_and_does_not_come_makes_room_for_the_films_own_and_is_a_hang() -> (
    None
):
    watchdog = Watchdog(PATIENCE)
    assert watchdog.look(3.0, 3.0, 10, 0) == "well"
    assert watchdog.look(3.0, 3.1, 10, SOON) == "well"
    assert watchdog.look(3.0, 3.1, 10, LATE) == "aside"
    assert watchdog.look(None, 9.0, 10, LATE + 1) == "well"  # the film's own is read now
    assert watchdog.look(None, 18.0, 10, LONG) == "hangs"


def test_pictures_that_come_after_all_are_shown_again() -> None:
    watchdog = Watchdog(PATIENCE)
    watchdog.look(3.0, 3.0, 10, 0)
    assert watchdog.look(3.0, 3.1, 10, LATE) == "aside"
    assert watchdog.look(None, 4.0, 11, LATE + 1) == "back"
    assert watchdog.look(3.0, 4.0, 11, LONG) == "well"
    assert watchdog.look(3.0, 4.0, 11, LONG + LATE) == "aside"


def test_pictures_that_come_slowly_are_no_hang() -> None:
    watchdog = Watchdog(PATIENCE)
    for turn in range(5):
        assert watchdog.look(3.0 + turn, 3.0 + turn, turn, turn * SOON) == "well"


def test_a_picture_that_is_held_back_because_it_is_early_is_no_hang() -> None:
    watchdog = Watchdog(PATIENCE)
    assert watchdog.look(4.5, 3.0, 10, 0) == "well"
    assert watchdog.look(4.5, 3.0, 10, LONG) == "well"


def test_a_read_that_waits_for_nothing_begins_anew() -> None:
    watchdog = Watchdog(PATIENCE)
    watchdog.look(3.0, 3.0, 10, 0)
    assert watchdog.look(None, 3.0, 10, 1) == "well"
    assert watchdog.look(3.0, None, 10, 1) == "well"
    assert watchdog.look(3.0, 3.0, 10, LONG) == "well"
