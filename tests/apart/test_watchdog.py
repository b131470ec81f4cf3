"""When the engine hangs, and when it only waits."""

from __future__ import annotations

from rtvfi.apart.watchdog import PATIENCE_SECONDS, Watchdog

LONG = PATIENCE_SECONDS + 1


def test_a_picture_that_is_due_and_does_not_come_is_a_hang() -> None:
    watchdog = Watchdog()
    assert not watchdog.is_stuck(3.0, 3.0, 0)
    assert not watchdog.is_stuck(3.0, 3.1, PATIENCE_SECONDS - 1)
    assert watchdog.is_stuck(3.0, 3.1, LONG)


def test_pictures_that_come_slowly_are_none() -> None:
    watchdog = Watchdog()
    for turn in range(5):
        assert not watchdog.is_stuck(3.0 + turn, 3.0 + turn, turn * (PATIENCE_SECONDS - 1))


def test_a_picture_that_is_held_back_because_it_is_early_is_none() -> None:
    watchdog = Watchdog()
    assert not watchdog.is_stuck(4.5, 3.0, 0)
    assert not watchdog.is_stuck(4.5, 3.0, LONG)


def test_a_read_that_waits_for_nothing_begins_anew() -> None:
    watchdog = Watchdog()
    watchdog.is_stuck(3.0, 3.0, 0)
    assert not watchdog.is_stuck(None, 3.0, 1)
    assert not watchdog.is_stuck(3.0, None, 1)
    assert not watchdog.is_stuck(3.0, 3.0, LONG)
