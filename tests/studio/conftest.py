"""A desk with two pictures and a small network, and the application around it."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from asgi import Answer, ask

from rtvfi.models.interpany.rife import RifeNet, RifeWidths
from rtvfi.models.weights.file import add_file
from rtvfi.models.weights.store import Store
from rtvfi.studio.app import application
from rtvfi.studio.desk import Desk
from rtvfi.studio.presence import Presence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEIGHT, WIDTH = 40, 56
TOKEN = "token"


class Page:
    """What a browser would ask."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.app = application(desk, Presence(), TOKEN)

    def ask(self, path: str, method: str = "GET", said: Any = None, **more: Any) -> Answer:
        body = said if isinstance(said, bytes) else b"" if said is None else json.dumps(said)
        data = body.encode() if isinstance(body, str) else body
        return ask(self.app, f"/{TOKEN}/{path}", method, data, **more)

    def post(self, path: str, said: Any = None) -> Answer:
        return self.ask(path, "POST", said)

    def finished(self, number: int) -> Any:
        """The state of a job once it is over."""
        done = threading.Event()
        self.desk.jobs._worker.submit(done.set)  # the worker does one thing after the other
        assert done.wait(60)
        return self.ask(f"job/{number}").json


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a small network that takes maps."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    torch.manual_seed(1)
    net = RifeNet(False, RifeWidths((16, 16, 16), 4))
    torch.save(net.state_dict(), tmp_path / "net.pt")
    add_file(Store(), tmp_path / "net.pt", "interpany-rife-d")
    return "interpany-rife-d"


@pytest.fixture
def page(tmp_path: Path, network: str) -> Iterator[Page]:
    (tmp_path / "out").mkdir()
    desk = Desk("cpu", tmp_path / "out")
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for which in (0, 1):
        rgb = np.full((HEIGHT, WIDTH, 3), 0.2, np.float32)
        rgb[(abs(x - 20 - 8 * which) < 8) & (abs(y - 20) < 8)] = (0.9, 0.3, 0.1)
        desk.put(which, rgb)
    yield Page(desk)
    desk.close()
