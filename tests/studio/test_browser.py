"""The page used as people do, in a real browser; ``-m slow``, where there is one."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
import studio_browser as use
from clips import ClipSpec, box_left

from rtvfi.studio.codec import mask_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clips import Clips

pytest.importorskip("playwright")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(use.browser_path() is None, reason="no Chromium"),
    pytest.mark.filterwarnings("ignore"),  # those of Playwright's event loop
]

WIDTH, HEIGHT = 320, 180
FILM = ClipSpec(size=(WIDTH, HEIGHT), num_frames=12, codec="ffv1")
FIRST, LAST = 2, 7


@pytest.fixture
def film(clips: Clips) -> str:
    return str(clips.get(FILM))


@pytest.fixture
def started(film: str, network: str) -> Iterator[tuple[str, Any]]:
    assert network
    with use.studio(film, "--at", "0") as found:
        yield found


def moving_box() -> tuple[float, float, float, float]:
    """Around the moving box in frame FIRST, with some ground, in shares of the sides."""
    left, side = box_left(FIRST, WIDTH), 0.22 * HEIGHT
    top = 0.6 * HEIGHT
    return (
        (left - 14) / WIDTH,
        (top - 14) / HEIGHT,
        (left + side + 14) / WIDTH,
        (top + side + 14) / HEIGHT,
    )


def pick(page: Any) -> None:
    """Frames FIRST and LAST of the film."""
    for number, button in ((FIRST, "#film-first"), (LAST, "#film-last")):
        for _ in range(number if button == "#film-first" else LAST - FIRST):
            with page.expect_response("**/film/frame*"):
                page.locator("#film-on").click()
        with page.expect_response("**/film/choose"):
            page.locator(button).click()
    time = LAST * 1001 / 24000
    use.until(page, f"document.getElementById('film-at').value === '{time:.3f} s'")


def test_an_object_of_a_film_is_retimed_and_exported(
    started: tuple[str, Any], tmp_path: Path
) -> None:
    address, child = started
    with use.opened(address, accept_downloads=True) as page:
        pick(page)
        use.cut_out(page, moving_box())
        use.bend(page, 1, 0.3, 0.8)
        page.locator("#count").fill("3")
        with page.expect_request("**/preview") as asked:
            use.preview(page, 5)
        said = json.loads(asked.value.post_data)
        (object_,) = said["objects"]
        mask = mask_of(base64.b64decode(object_["mask"].partition(",")[2]), (HEIGHT, WIDTH))
        left, top, side = box_left(FIRST, WIDTH), 0.6 * HEIGHT, 0.22 * HEIGHT
        y, x = np.mgrid[:HEIGHT, :WIDTH]
        true = (x >= left) & (x < left + side) & (y >= top) & (y < top + side)
        assert (mask & true).sum() / (mask | true).sum() > 0.8
        assert object_["curve"][1] == pytest.approx([0.3, 0.8], abs=0.03)
        with page.expect_download() as download:
            page.locator("#export").click()
        download.value.save_as(tmp_path / "o.gif")
        other = page.context.new_page()
        for path in ("", "state", "static/main.js", "picture/0"):
            answer = other.goto(address[: address.index("/", 8) + 1] + path)
            assert answer.status == 404
        other.close()
        page.close()  # says goodbye
        assert child.wait(120) == 0
    with av.open(str(tmp_path / "o.gif")) as container:
        frames = list(container.decode(video=0))
    assert [(f.width, f.height) for f in frames] == [(WIDTH, HEIGHT)] * 5


def test_a_mask_is_drawn_by_keys_and_taken_back(started: tuple[str, Any]) -> None:
    address, _ = started
    with use.opened(address) as page:
        page.locator("#stage").focus()
        page.keyboard.press("p")
        for keys in (["ArrowUp"] * 8, ["ArrowRight"] * 9, ["ArrowDown"] * 12, ["ArrowLeft"] * 7):
            for key in keys:
                page.keyboard.press(key)
            page.keyboard.press("Enter")
        page.keyboard.press("c")
        use.until(page, "document.querySelectorAll('#list li').length === 1")
        page.locator("#curve circle").nth(1).focus()
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")
        value = "document.querySelectorAll('#curve circle')[1].getAttribute('aria-valuenow')"
        use.until(page, f"{value} === '60'")
        for wanted in ("55", "50"):
            page.keyboard.press("Control+z")
            use.until(page, f"{value} === '{wanted}'")
        page.keyboard.press("Control+Shift+Z")
        use.until(page, f"{value} === '55'")


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844)])
def test_everything_fits_on_a_screen(width: int, height: int, started: tuple[str, Any]) -> None:
    with use.opened(started[0], viewport={"width": width, "height": height}) as page:
        pick(page)
        use.cut_out(page, moving_box())
        use.preview(page, 11)
        root = "document.documentElement"
        assert page.evaluate(f"{root}.scrollWidth") <= width
        assert page.evaluate(
            "[...document.querySelectorAll('button, input, select, canvas, svg')]"
            ".filter(e => e.checkVisibility()).map(e => e.getBoundingClientRect())"
            f".every(r => r.left >= -1 && r.right <= {width + 1})"
        )
