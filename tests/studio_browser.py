"""The studio in a headless browser: started, driven, and ended.

    PYTHONPATH=.:tests .venv/bin/python tests/studio_browser.py FOLDER [FILM]

writes screenshots of it into a folder (docs/img/studio.png is one of them); it needs Playwright's
Python package and a Chromium.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 120_000
"""A loaded machine may take long; nothing waits for less than what it waits for."""


def browser_path() -> str | None:
    """A Chromium, if there is one."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


@contextlib.contextmanager
def studio(*words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The studio in a process of its own, and its address."""
    command = [sys.executable, "-m", "rtvfi", "studio", "--no-browser", "--device", "cpu", *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        watch = threading.Timer(PATIENCE_MS / 1000, child.kill)
        watch.start()
        try:
            assert child.stdout is not None
            line = child.stdout.readline()
            watch.cancel()
            assert "http" in line, line
            yield line[line.index("http") :].strip(), child
        finally:
            watch.cancel()
            child.kill()


@contextlib.contextmanager
def opened(address: str, **how: Any) -> Iterator[Any]:
    """A page of a new browser, at 1280x720 unless told otherwise."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=list(FLAGS))
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 720}} | how))
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto(address)
        until(page, "document.getElementById('stage').width > 16")
        yield page
        browser.close()


def until(page: Any, statement: str) -> None:
    """Wait until it holds in the page; asked from here, for the page's policy forbids ``eval``."""
    begun = time.monotonic()
    while not page.evaluate(statement):
        assert time.monotonic() - begun < PATIENCE_MS / 1000, statement
        page.wait_for_timeout(50)


def drag(page: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """With the mouse, in several moves."""
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=6)
    page.mouse.up()


def on_picture(page: Any, x: float, y: float) -> tuple[float, float]:
    """Where a place of the first picture (shares of its sides) is on the page."""
    box = page.locator("#stage").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def cut_out(page: Any, box: tuple[float, float, float, float]) -> None:
    """Draw a box (shares: left, top, right, bottom) and wait for the object in it."""
    page.locator("#stage").scroll_into_view_if_needed()
    page.keyboard.press("r")
    with page.expect_response("**/cutout"):
        drag(page, on_picture(page, box[0], box[1]), on_picture(page, box[2], box[3]))
    until(page, "document.getElementById('message').textContent === ''")


def bend(page: Any, index: int, x: float, y: float) -> None:
    """Drag a point of the curve to (time, way)."""
    page.locator("#curve").scroll_into_view_if_needed()
    dot = page.locator("#curve circle").nth(index).bounding_box()
    plot = page.locator("#curve .grid").bounding_box()
    drag(
        page,
        (dot["x"] + dot["width"] / 2, dot["y"] + dot["height"] / 2),
        (plot["x"] + x * plot["width"], plot["y"] + (1 - y) * plot["height"]),
    )


def preview(page: Any, num_pictures: int) -> None:
    """Make a preview and wait for all of it."""
    page.locator("#preview").click()
    until(
        page,
        f"document.getElementById('scrub').max === '{num_pictures - 1}'"
        " && document.getElementById('progress').hidden",
    )


def main() -> None:
    """Screenshots: light, dark, narrow."""
    folder, film = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "weights/demo.mkv"
    at = sys.argv[3] if len(sys.argv) > 3 else "3"
    folder.mkdir(parents=True, exist_ok=True)
    for name, how in (
        ("studio", {"color_scheme": "light"}),
        ("dark", {"color_scheme": "dark"}),
        ("narrow", {"viewport": {"width": 390, "height": 844}}),
    ):
        with studio(film, "--at", at) as (address, _), opened(address, **how) as page:
            for _ in range(5):
                with page.expect_response("**/film/frame*"):
                    page.locator("#film-on").click()
            with page.expect_response("**/film/choose"):
                page.locator("#film-last").click()
            cut_out(page, tuple(map(float, sys.argv[4].split(","))))  # type: ignore[arg-type]
            bend(page, 1, 0.3, 0.8)
            page.locator("#count").fill("7")
            preview(page, 9)
            page.locator("#play").click()
            page.screenshot(path=folder / f"{name}.png", full_page=name == "narrow")


if __name__ == "__main__":
    main()
