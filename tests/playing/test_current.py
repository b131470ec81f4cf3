"""Which file plays, when files end while a viewing is being shown on another thread."""

from __future__ import annotations

import threading
from typing import Any, Self

import pytest
from fakes import PATIENCE, raising

from rtvfi.playing.current import Current


class Door:
    """A lock that tells when a thread other than its owner comes to it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._owner: int | None = None
        self.is_knocked_at = threading.Event()

    def __enter__(self) -> Self:
        if self._owner not in (None, threading.get_ident()):
            self.is_knocked_at.set()
        self._lock.acquire()
        self._owner = threading.get_ident()
        return self

    def __exit__(self, *_: object) -> None:
        self._owner = None
        self._lock.release()


class Scene:
    def __init__(self) -> None:
        self.door = Door()
        self.over: list[Any] = []
        self.current = Current(self.door, self.over.append)


def a_viewing() -> Any:
    return object()


def test_a_viewing_comes_and_goes_with_its_file() -> None:
    scene, viewing = Scene(), a_viewing()
    number = scene.current.begin()
    assert scene.current.put(number, viewing, lambda: None)
    assert scene.current.viewing is viewing
    scene.current.end()
    assert scene.current.viewing is None
    assert scene.over == [viewing]


def test_what_was_made_for_a_file_that_is_over_is_not_shown() -> None:
    scene, shown = Scene(), []
    number = scene.current.begin()
    scene.current.end()
    assert not scene.current.put(number, a_viewing(), lambda: shown.append(1))
    assert (shown, scene.current.viewing, scene.over) == ([], None, [])


def test_a_file_that_ends_while_its_viewing_is_being_shown_takes_it_along() -> None:
    """In this order: the file still plays; it ends; the viewing is its viewing."""
    scene, viewing = Scene(), a_viewing()
    number = scene.current.begin()
    event_thread = threading.Thread(target=scene.current.end)

    def show() -> None:
        event_thread.start()
        assert scene.door.is_knocked_at.wait(PATIENCE), "the file's end did not wait"
        assert scene.over == []

    assert scene.current.put(number, viewing, show)
    event_thread.join(PATIENCE)
    assert scene.current.viewing is None
    assert scene.over == [viewing]


def test_a_viewing_that_cannot_be_shown_leaves_the_one_before() -> None:
    scene, before = Scene(), a_viewing()
    number = scene.current.begin()
    scene.current.put(number, before, lambda: None)

    with pytest.raises(ValueError, match="no"):
        scene.current.put(number, a_viewing(), raising(ValueError("no")))
    assert scene.current.viewing is before
    assert scene.over == []
