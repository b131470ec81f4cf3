"""Tries the forms in which a device may compute, one after the other, until one passes.

Every form is tested in a child process of its own, which may crash or hang without harm.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypedDict, cast

from rtvfi.core.hardware.verdict import FORMS, Form, Verdict
from rtvfi.core.python_process import TOO_LONG, PythonProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

log = logging.getLogger(__name__)

Order = Literal["none", "before", "after"]
"""Whether OpenGL is started in the same process, before or after torch."""
_MODULE: Final = "rtvfi.engine.proof.child"
SILENCE_SECONDS: Final = 60.0
"""A child that has reported nothing for this long hangs. MIOpen compiles a kernel in less."""
_MOST_SECONDS: Final = 240.0
"""Time limit for one form; a child whose parent has died kills itself after it, too."""
_MOST_HANGS: Final = 2
"""A GPU that hung this often is not tested further: each hang may make its driver reset it."""


class Request(TypedDict):
    """A request to the child process."""

    device: str
    """torch's name of the device; "cpu" in tests."""
    form: Form
    """To be tested; read back from JSON it is a list."""
    gl: Order
    share: float
    """Factor on the size of the operations, as for ``kernels.kernels``."""
    seconds: float
    """Seconds after which the child kills itself, in case its parent does not."""
    hook: str
    """module:function, for tests."""


class Said(TypedDict, total=False):
    """A report of the child, one line each: first what it is about to do, then the result."""

    doing: str
    library: str
    """Name of the library for convolutions: MIOpen or cuDNN."""
    name: str
    """Name of the device; empty for the processor."""
    absent: bool
    """There is no such device."""
    full: bool
    """The device's memory is full."""
    refused: str
    wrong: str
    right: bool
    is_repeatable: bool
    done: bool
    gl: str | None
    """Name of the OpenGL driver."""


class ChildProcess(Protocol):
    """A child process that tests a form: a ``PythonProcess``, or a fake one in tests."""

    def found(self, deadline: float, silence: float) -> Iterator[Mapping[str, object]]:
        """Yield its reports until it ends, or a time limit has passed."""
        ...

    def end(self) -> str:
        """Kill it; returns why it failed, empty if it did not."""
        ...

    def kill(self) -> None:
        """Kill it; may be called by another thread."""
        ...


def started(request: Request) -> ChildProcess:
    """Start a child process that answers a request."""
    # As while playing: MIOpen's full search for every kernel would look like a hang.
    environ = {**os.environ, "MIOPEN_FIND_MODE": "FAST"}
    return PythonProcess(_MODULE, (json.dumps(request),), environ)


@dataclass(slots=True)
class _Run:
    """What one child process reported."""

    doing: str = "the start of Python"
    said: Said = field(default_factory=Said)
    end: str = ""
    """Why it failed; empty if it did not."""

    @property
    def is_hung(self) -> bool:
        """Whether it had to be killed."""
        return self.end == TOO_LONG

    @property
    def failure(self) -> str:
        """What went wrong, for the user; empty if nothing did."""
        if self.is_hung:
            return f"{self.doing} did not end"
        if self.said.get("wrong"):
            return self.said["wrong"]
        if self.said.get("refused"):
            return f"{self.doing} failed: {self.said['refused']}"
        if "done" not in self.said and not self.said.get("absent") and not self.said.get("full"):
            return f"{self.doing} failed: {self.end or 'it ended too early'}"
        return ""


class Trial:
    """The self-test of one device. One thread calls ``verdict``; any thread may call ``abandon``.

    Args:
        device: torch's name of it.
        start: starts a child process for a request; replaced in tests.
        silence: seconds without a report after which a child is killed.
    """

    def __init__(
        self,
        device: str,
        start: Callable[[Request], ChildProcess] = started,
        silence: float = SILENCE_SECONDS,
    ) -> None:
        self._device = device
        self._start = start
        self._silence = silence
        self._lock = threading.Lock()
        self._child: ChildProcess | None = None
        self._is_over = False

    def abandon(self) -> None:
        """Stop the test: its result is not needed any more."""
        with self._lock:
            self._is_over = True
            if self._child is not None:
                self._child.kill()

    def verdict(self) -> Verdict | None:
        """Test the forms in order.

        Returns:
            None if there is no such device, or if the test was abandoned.
        """
        begun = time.monotonic()
        failures: list[str] = []
        hangs = 0
        found = Verdict(form=None)
        for form in FORMS:
            run = self._run(form, "none")
            if self._is_over or run.said.get("absent"):
                return None
            library, name = run.said.get("library"), run.said.get("name")
            found = replace(found, library=library or found.library, name=name or found.name)
            if run.said.get("full"):
                found = replace(found, is_final=False)
                failures.append("its memory is full")
                break
            if not run.failure:
                found = replace(
                    found,
                    form=form,
                    is_repeatable=run.said.get("is_repeatable", True),
                    fails_beside_window=self._fails_beside_window(form, failures),
                )
                break
            log.debug("self-test, %s: %s", form, run.failure)
            failures.append(run.failure)
            hangs += run.is_hung
            if "library" not in run.said:
                found = replace(found, is_torch_broken=True)
                break
            if hangs == _MOST_HANGS:
                break
        if self._is_over:
            return None
        return replace(
            found,
            date=date.today().isoformat(),
            seconds=round(time.monotonic() - begun, 1),
            failures=tuple(dict.fromkeys(failures)),
        )

    def _fails_beside_window(self, form: Form, failures: list[str]) -> bool:
        """Test the form again with the player's OpenGL in the process, started before and after
        torch.
        """
        orders: tuple[Order, ...] = ("before", "after")
        for order in orders:
            run = self._run(form, order)
            if run.failure and not self._is_over:
                failures.append(f"with OpenGL begun {order} it, {run.failure}")
                return True
        return False

    def _run(self, form: Form, gl: Order) -> _Run:
        run = _Run()
        with self._lock:
            if self._is_over:
                return run
            self._child = apart = self._start(
                Request(
                    device=self._device,
                    form=form,
                    gl=gl,
                    share=1.0,
                    seconds=_MOST_SECONDS,
                    hook="",
                )
            )
        try:
            for line in apart.found(time.monotonic() + _MOST_SECONDS, self._silence):
                said = cast("Said", line)  # by proof.child, which is ours
                run.doing = said.get("doing", run.doing)
                run.said.update(said)
        finally:
            run.end = apart.end()
            with self._lock:
                self._child = None
        return run
