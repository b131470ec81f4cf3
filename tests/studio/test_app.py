"""What the page may ask, and who may ask."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from asgi import ask, mask_url
from clips import ClipSpec
from fakes import raising

from rtvfi.core.errors import ModelError
from rtvfi.render import between
from rtvfi.studio.codec import mask_of, picture_of, png_of
from rtvfi.studio.film import Film

if TYPE_CHECKING:
    from pathlib import Path

    from clips import Clips

SIZE = (40, 56)


def wish(network: str, **more: Any) -> dict[str, Any]:
    mask = np.zeros(SIZE, bool)
    mask[12:28, 12:28] = True
    objects = [{"mask": mask_url(mask), "curve": [[0, 0], [0.3, 0.8], [1, 1]]}]
    return {"objects": objects, "count": 3, "model": network, "rate": 12, "form": "gif"} | more


# --- who may ask -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/other/", "/static/main.js", "/state", "/token2/state"])
def test_without_the_token_there_is_nothing(page: Any, path: str) -> None:
    answer = ask(page.app, path)
    assert answer.status == 404
    assert b"rtvfi" not in answer.body


@pytest.mark.parametrize(
    "headers", [{"host": "evil.example:1"}, {"sec-fetch-site": "cross-site"}, {"host": ""}]
)
def test_pages_from_elsewhere_get_nothing(page: Any, headers: dict[str, str]) -> None:
    assert page.ask("state", headers=headers).status == 404


@pytest.mark.parametrize(
    "path", ["static/../app.py", "static/%2e%2e/app.py", "static//etc/passwd", "picture/../state"]
)
def test_no_other_file_can_be_read(page: Any, path: str) -> None:
    answer = page.ask(path)
    assert answer.status in (404, 405)
    assert b"import" not in answer.body


def test_the_page_needs_nothing_from_elsewhere(page: Any) -> None:
    answer = page.ask("")
    assert answer.status == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    for name in ("index.html", "style.css", "main.js", "api.js", "stage.js", "curve.js"):
        text = page.ask(f"static/{name}").body.decode()
        assert text
        assert "https://" not in text
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")


# --- pictures ----------------------------------------------------------------------------------


def test_state_says_what_there_is(page: Any, network: str) -> None:
    state = page.ask("state").json
    assert state["sizes"] == [[56, 40], [56, 40]]
    assert state["film"] is None
    assert [m["id"] for m in state["models"]] == [network, "linear"]
    assert [m["maps"] for m in state["models"]] == [True, False]


def test_a_picture_is_given_as_it_is(page: Any) -> None:
    got = picture_of(page.ask("picture/1").body, "it")
    assert np.array_equal(got, np.rint(page.desk.end(1) * 255).astype(np.float32) / 255)
    assert page.ask("picture/2").status == 404


def test_a_picture_file_takes_the_place_of_one(page: Any) -> None:
    codes = np.full((*SIZE, 3), 77, np.uint8)
    state = page.post("picture/0?name=a.png", png_of(codes)).json
    assert state["versions"] == [2, 1]
    assert np.allclose(page.desk.end(0), 77 / 255)
    answer = page.post("picture/0?name=notes.txt", b"words")
    assert (answer.status, answer.json["error"]) == (
        422,
        '"notes.txt" cannot be read as a picture',
    )


def test_frames_of_a_film_are_shown_and_taken(page: Any, clips: Clips) -> None:
    spec = ClipSpec(size=(160, 90), num_frames=5, codec="ffv1")
    page.desk.film = Film(str(clips.get(spec)))
    first = page.ask("film/frame?at=0.09&width=64")
    assert first.headers["content-type"] == "image/jpeg"
    assert (first.headers["x-time"], first.headers["x-end"]) == ("1001/12000", "1001/8000")
    state = page.post("film/choose", {"which": 0, "at": first.headers["x-end"]}).json
    assert state["sizes"][0] == [160, 90]
    assert state["film"]["at"] == "1001/8000"
    assert state["film"]["duration"] == pytest.approx(5 * 1001 / 24000, abs=0.01)
    assert page.ask("film/frame?at=now").status == 400


def test_without_a_film_none_is_shown(page: Any) -> None:
    assert page.ask("film/frame?at=0").json["error"] == "the studio was opened without a film"


def test_a_box_becomes_the_object_in_it(page: Any) -> None:
    answer = page.post("cutout", {"box": [6, 6, 30, 30]})
    mask = mask_of(answer.body, SIZE)
    wanted = np.zeros(SIZE, bool)
    wanted[13:28, 13:28] = True
    assert (mask & wanted).sum() > 0.9 * wanted.sum()
    assert (mask & ~wanted).sum() < 0.1 * wanted.sum()
    for box in ([0, 0, 1], [0, 0, "x", 1], [90, 0, 5, 5]):
        assert page.post("cutout", {"box": box}).status == 400


def test_a_curve_is_drawn_as_it_will_be_followed(page: Any) -> None:
    way = page.post("curve", {"points": [[0, 0], [0.5, 1], [1, 0]]}).json
    assert (way[0], way[32], way[64]) == pytest.approx((0, 1, 0))
    assert (
        page.post("curve", {"points": [[0, 0]]}).json["error"]
        == "invalid curve: fewer than two points"
    )


# --- made of them ------------------------------------------------------------------------------


def test_a_preview_is_made_picture_by_picture(page: Any, network: str) -> None:
    state = page.post("preview", wish(network)).json
    assert (state["total"], state["error"]) == (5, "")
    state = page.finished(state["id"])
    assert (state["done"], state["error"], state["made"], state["shown"]) == (True, "", 5, 5)
    for k in range(5):
        assert page.ask(f"job/{state['id']}/picture/{k}").body[:2] == b"\xff\xd8"
    assert page.ask(f"job/{state['id']}/picture/5").status == 404
    assert page.ask("job/99").status == 404


@pytest.mark.parametrize("form", ["gif", "webp", "mp4", "png"])
def test_an_export_is_a_file_to_be_saved(page: Any, network: str, form: str) -> None:
    number = page.post("export", wish(network, form=form)).json["id"]
    assert page.finished(number)["error"] == ""
    answer = page.ask(f"job/{number}/file")
    assert answer.status == 200
    assert "attachment" in answer.headers["content-disposition"]
    if form == "png":
        with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
            assert archive.namelist() == [f"{k:04}.png" for k in range(5)]
            first = picture_of(archive.read("0000.png"), "it")
        assert np.allclose(first, page.desk.end(0), atol=0.003)
    elif form == "webp":
        assert answer.body[:4] == b"RIFF"
    else:
        with av.open(io.BytesIO(answer.body)) as container:
            assert len(list(container.decode(video=0))) == 5  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({"model": "rife-4.6"}, 'weights of "rife-4.6" are not installed'),
        ({"model": "linear"}, "uses one time for all pixels"),
        ({"count": 0}, "expected 1 to 240"),
        ({"count": True}, "expected 1 to 240"),
        ({"form": "exe"}, "expected one of"),
        ({"objects": [{"mask": "x", "curve": [[0, 0], [1, 1]]}]}, ""),
        ({"objects": [{"curve": []}]}, "an object has no mask"),
        ({"objects": 3}, "at most 32"),
    ],
)
def test_what_cannot_be_made_is_said_at_once(
    page: Any, network: str, more: dict[str, Any], wrong: str
) -> None:
    answer = page.post("preview", wish(network, **more))
    said = answer.json
    if answer.status == 200:  # a mask that is no picture is found by the worker
        said = page.finished(said["id"])
    assert wrong in said["error"]
    assert said["error"]


def test_pictures_of_two_sizes_are_refused(page: Any, network: str) -> None:
    page.desk.put(1, np.zeros((8, 8, 3), np.float32))
    said = page.post("preview", wish(network)).json
    assert said["error"] == "the pictures are 56x40 and 8x8, expected the same size"


def test_a_mask_of_another_size_is_said(page: Any, network: str) -> None:
    objects = [{"mask": mask_url(np.ones((8, 8), bool)), "curve": [[0, 0], [1, 1]]}]
    number = page.post("preview", wish(network, objects=objects)).json["id"]
    assert page.finished(number)["error"] == "a mask is 8x8, expected 56x40"


def test_what_a_network_raises_is_told(
    page: Any, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(between, "load_model", raising(ModelError("no such luck", "try again")))
    state = page.finished(page.post("preview", wish(network)).json["id"])
    assert (state["error"], state["hint"]) == ("no such luck", "try again")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_what_is_no_document_is_refused(page: Any, body: bytes) -> None:
    answer = page.ask("preview", "POST", body)
    assert (answer.status, json.loads(answer.body)["error"][:8]) == (400, "expected")


def test_words_of_a_page_are_heard(page: Any, tmp_path: Path) -> None:
    assert page.post("alive").status == 204
    assert page.post("bye").status == 204
    assert list(tmp_path.glob("out/*")) == []
