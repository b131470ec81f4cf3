"""Text in the encodings that subtitles on the web have."""

# ruff: noqa: RUF001 - other alphabets are what it is about

from __future__ import annotations

import pytest

from rtvfi.stream.write.beside import text

LINES = {
    "cp1251": "Привет, мир. Это субтитры для фильма, которые никто не читает.",
    "koi8_r": "Привет, мир. Это субтитры для фильма, которые никто не читает.",
    "cp1250": "Zażółć gęślą jaźń, proszę państwa, to jest bardzo trudne.",
    "cp1252": "Grüße aus Köln, schöne Straßen überall für müde Füße.",
    "cp1253": "Γειά σου Κόσμε, αυτοί είναι υπότιτλοι για την ταινία.",
    "cp932": "こんにちは、世界。これは映画の字幕です。誰も読まないと思います。",
    "euc_jp": "こんにちは、世界。これは映画の字幕です。誰も読まないと思います。",
    "gb18030": "你好，世界。这是一部电影的字幕，没有人会读它们的，我想是这样的。",
    "big5": "你好，世界。這是一部電影的字幕，沒有人會讀它們的，我想是這樣的。",
    "cp949": "안녕하세요 세계. 이것은 아무도 읽지 않는 영화 자막입니다.",
}
MARKED = ("utf-8-sig", "utf-16", "utf-32")


def subtitles(line: str) -> str:
    return "".join(f"{n}\n00:00:0{n},000 --> 00:00:0{n},900\n{line}\n\n" for n in range(1, 6))


@pytest.fixture(params=["uchardet", "alone"])
def judge(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "alone":
        monkeypatch.setattr(text, "_library", lambda: None)
    elif text._library() is None:
        pytest.skip("no uchardet")
    return str(request.param)


@pytest.mark.usefixtures("judge")
@pytest.mark.parametrize("encoding", LINES)
def test_usual_encodings_are_told_apart(encoding: str) -> None:
    wanted = subtitles(LINES[encoding])
    assert text.as_utf8(wanted.encode(encoding)).decode() == wanted


@pytest.mark.parametrize("encoding", [*MARKED, "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("line", [LINES["cp1251"], LINES["cp1252"], "plain words"])
def test_wide_text_is_known_with_and_without_a_mark(encoding: str, line: str) -> None:
    wanted = subtitles(line)
    assert text.as_utf8(wanted.encode(encoding)).decode() == wanted


def test_utf8_is_passed_on_untouched() -> None:
    data = subtitles(LINES["cp932"]).encode()
    assert text.as_utf8(data) is data


@pytest.mark.usefixtures("judge")
@pytest.mark.parametrize("data", [b"", b"\xff", b"\x00\x01", bytes(range(256)), b"\xfe\xff\xd8"])
def test_whatever_it_is_what_comes_out_is_utf8(data: bytes) -> None:
    text.as_utf8(data).decode()


@pytest.mark.parametrize(
    ("codepage", "data", "wanted"),
    [
        ("auto", "cp1251", "cp1251"),
        ("cp866", "cp1251", "cp866"),
        ("CP866", "utf-8", "utf-8"),
        ("+cp1250", "utf-8", "cp1250"),
        ("+cp1250", "utf-8-sig", "cp1250"),
        ("shift-jis", "cp932", "shift_jis"),
        ("enca:ru:cp866", "cp1251", "cp866"),
        ("no-such-page", "cp1251", "cp1251"),
    ],
)
def test_the_users_codepage_is_that_of_mpv(codepage: str, data: str, wanted: str) -> None:
    text_in = subtitles(LINES["cp932" if data == "cp932" else "cp1251"]).encode(data)
    assert text.encoding_of(text_in, codepage) == wanted
