from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtvfi.playing.edl import streams_of

PICTURE = b"https://a.example/video?x=1;y=2,z"
SOUND = b"https://b.example/sound"


def quoted(word: bytes) -> bytes:
    return b"%" + str(len(word)).encode() + b"%" + word


TWO = b"edl://!no_clip;!no_chapters;" + quoted(PICTURE) + b";!new_stream;!no_clip;" + quoted(SOUND)


@pytest.mark.parametrize(
    ("edl", "addresses"),
    [
        (TWO, (PICTURE.decode(), SOUND.decode())),
        (b"edl://" + quoted(PICTURE), (PICTURE.decode(),)),
        (b"edl://file=" + quoted(PICTURE) + b";", (PICTURE.decode(),)),
        (b"edl://a.mkv", ("a.mkv",)),
        (b"edl://a.mkv,0,2", ()),
        (b"edl://a.mkv,start=0,length=2", ()),
        (b"edl://a.mkv;b.mkv", ()),
        (b"edl://!mp4_dash,init=x;a.mkv", ()),
        (b"edl://!new_stream;a.mkv;!new_stream;b.mkv", ("a.mkv", "b.mkv")),
        (b"https://a.example/x", ()),
        (b"edl://", ()),
    ],
)
def test_streams_side_by_side_are_found(edl: bytes, addresses: tuple[str, ...]) -> None:
    assert tuple(stream.address for stream in streams_of(edl)) == addresses


def offered(word: bytes, *kinds: bytes) -> bytes:
    """A form that a page offers, as mpv 0.42 lists it."""
    opened = b"".join(b";!delay_open,media_type=" + kind + b",codec=x,w=2,h=2" for kind in kinds)
    meta = b";!track_meta,title=%3%a;b,byterate=4,flags=default;"
    return b"!new_stream;!no_clip;!no_chapters" + opened + meta + quoted(word) + b",length=60"


def test_all_forms_that_a_page_offers_are_told_apart() -> None:
    forms = (
        offered(SOUND, b"audio"),
        offered(PICTURE, b"video"),
        offered(b"m", b"video", b"audio"),
    )
    found = streams_of(b"edl://" + b";".join(forms) + b";!global_tags,title=x")
    assert [stream.address for stream in found] == [SOUND.decode(), PICTURE.decode(), "m"]
    assert [stream.kinds for stream in found] == [{"audio"}, {"video"}, {"video", "audio"}]


@given(st.binary())
def test_nonsense_is_no_error(text: bytes) -> None:
    streams_of(b"edl://" + text)
