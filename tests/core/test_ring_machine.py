"""The ring under random calls of one thread, compared with a plain list."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rtvfi.core.frame import END
from rtvfi.core.ring import Aborted, Ring


class RingMachine(RuleBasedStateMachine):
    """Items are numbers, each as many bytes as its value."""

    def __init__(self) -> None:
        super().__init__()
        self.ring: Ring[int] = Ring(3, 20, lambda item: item)
        self.items: deque[int] = deque()
        self.epoch = 0
        self.ending: object = None
        self.aborted = False
        self.put_count = 0

    def has_room(self, size: int) -> bool:
        return not self.items or (len(self.items) < 3 and sum(self.items) + size <= 20)

    @rule(size=st.integers(0, 30), age=st.integers(0, 2))
    def put(self, size: int, age: int) -> None:
        wanted = age == 0 and self.ending is None and not self.aborted
        if wanted and not self.has_room(size):
            assert not self.ring.put(size, self.epoch, timeout=0)
            return
        assert self.ring.put(size, self.epoch - age) is wanted
        if wanted:
            self.items.append(size)
            self.put_count += 1

    @rule(old=st.booleans())
    def get(self, old: bool) -> None:
        if self.aborted:
            with pytest.raises(Aborted):
                self.ring.get(timeout=0)
        elif old:
            assert self.ring.get(self.epoch - 1, timeout=0) is None
        elif self.items:
            assert self.ring.get(timeout=0) == self.items.popleft()
        elif isinstance(self.ending, OSError):
            with pytest.raises(OSError) as caught:  # noqa: PT011 - identity follows
                self.ring.get()
            assert caught.value is self.ending
        else:
            assert self.ring.get(timeout=0) is self.ending

    @rule(fails=st.booleans(), old=st.booleans())
    def end(self, fails: bool, old: bool) -> None:
        ending = OSError() if fails else END
        epoch = self.epoch - 1 if old else None
        done = self.ring.fail(ending, epoch) if fails else self.ring.finish(epoch)  # type: ignore[arg-type]
        assert done is (not old and self.ending is None and not self.aborted)
        if done:
            self.ending = ending

    @rule(step=st.integers(1, 3))
    def restart(self, step: int) -> None:
        self.epoch += step
        self.ring.restart(self.epoch)
        self.items.clear()
        self.ending = None

    @precondition(lambda self: self.put_count > 3)
    @rule()
    def abort(self) -> None:
        self.ring.abort()
        self.items.clear()
        self.aborted = True

    @invariant()
    def both_agree(self) -> None:
        assert (self.ring.epoch, self.ring.depth) == (self.epoch, len(self.items))


TestRingMachine = RingMachine.TestCase
