"""Films broken in every way a seed asks for, always the same one in the same place."""

from __future__ import annotations

import random
import re
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import av.error
from hostile.films import ORDINARY, Film, deep, varied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hostile.films import Films


@dataclass(frozen=True)
class Case:
    """One file to try."""

    seed: int
    kind: str
    what: str
    """The film it was made from."""
    path: Path


def make(seed: int, films: Films, folder: Path) -> Case:
    """Write the file of a seed into ``folder``."""
    kinds = list(_KINDS)
    kind = kinds[seed % len(kinds)]
    rng = random.Random(seed)
    while True:
        try:
            what, suffix, data = _KINDS[kind](rng, films)
            break
        except (av.error.FFmpegError, ValueError):
            continue  # no encoder makes that: the next draw
    path = folder / f"seed-{seed}{suffix}"
    path.write_bytes(data)
    return Case(seed, kind, what, path)


_Made = tuple[str, str, bytes]


def _told(film: Film) -> str:
    return f"{film.container} {film.codec} {film.pix_fmt}"


def _ordinary(rng: random.Random, films: Films) -> tuple[Film, bytearray]:
    film = rng.choice(ORDINARY)
    return film, bytearray(films.get(film))


def _flips(rng: random.Random, films: Films) -> _Made:
    film, data = _ordinary(rng, films)
    end = rng.choice((len(data), len(data), min(len(data), 2048)))
    for _ in range(round(10 ** rng.uniform(0, 2.7))):
        data[rng.randrange(end)] ^= 1 << rng.randrange(8)
    return _told(film), film.suffix, bytes(data)


def _truncated(rng: random.Random, films: Films) -> _Made:
    film, data = _ordinary(rng, films)
    length = round(10 ** rng.uniform(0, 3)) if rng.random() < 0.3 else rng.randrange(len(data))
    return _told(film), film.suffix, bytes(data[:length])


def _spliced(rng: random.Random, films: Films) -> _Made:
    """A piece is lost, doubled, blanked or moved."""
    film, data = _ordinary(rng, films)
    a, b = sorted(rng.randrange(len(data)) for _ in range(2))
    piece = data[a:b]
    c = rng.randrange(len(data))
    done = rng.choice(
        (
            data[:a] + data[b:],
            data[:c] + piece + data[c:],
            data[:a] + bytes(b - a) + data[b:],
            data[:a] + b"\xff" * (b - a) + data[b:],
            data[:a] + rng.randbytes(b - a) + data[b:],
            data[b:] + data[:b],
        )
    )
    return _told(film), film.suffix, bytes(done)


def _joined(rng: random.Random, films: Films) -> _Made:
    """Different files behind each other."""
    parts = [rng.choice(ORDINARY) for _ in range(rng.choice((2, 2, 3)))]
    if rng.random() < 0.5:  # of one container, which may well be read to the end
        parts = [p for p in ORDINARY if p.container == parts[0].container] + parts[:1]
    data = b"".join(films.get(part) for part in parts)
    return " + ".join(map(_told, parts)), parts[0].suffix, data


def _changes(rng: random.Random, films: Films) -> _Made:
    """Size, format, rate and time change where a stream may do that."""
    container, codec = rng.choice(
        (
            ("mpegts", "libx264"),
            ("mpegts", "mpeg2video"),
            ("h264", "libx264"),
            ("hevc", "libx265"),
            ("mpeg", "mpeg2video"),
            ("mjpeg", "mjpeg"),
        )
    )
    parts = [varied(rng, container, codec) for _ in range(rng.randint(2, 4))]
    if codec == "mjpeg":
        parts = [_as_jpeg(part) for part in parts]
    what = " + ".join(f"{p.size[0]}x{p.size[1]} {p.pix_fmt} {p.rate}" for p in parts)
    return f"{container} {what}", parts[0].suffix, b"".join(films.get(part) for part in parts)


def _as_jpeg(film: Film) -> Film:
    return Film(
        container=film.container,
        codec=film.codec,
        pix_fmt="yuvj444p" if film.start else "yuvj420p",
        size=film.size,
        rate=film.rate,
        num_frames=film.num_frames,
    )


# ---- times ----------------------------------------------------------------------------------

_WORDS: Final = (
    0,
    1,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    0xFFFFFFFFFFFFFFFF,
)
"""Numbers at the edges of what fits."""


def _times(rng: random.Random, films: Films) -> _Made:
    """Time stamps jump to and fro, are negative or absurd; rates and durations are, too."""
    patchers: dict[str, Callable[[bytearray, random.Random], None]] = {
        "matroska": _matroska_times,
        "webm": _matroska_times,
        "mpegts": _mpegts_times,
        "mp4": _mp4_times,
        "mov": _mp4_times,
        "avi": _avi_times,
        "ivf": _ivf_times,
    }
    film = rng.choice([f for f in ORDINARY if f.container in patchers])
    data = bytearray(films.get(film))
    patchers[film.container](data, rng)
    return _told(film), film.suffix, bytes(data)


def _put(data: bytearray, offset: int, length: int, value: int) -> None:
    data[offset : offset + length] = (value % (1 << 8 * length)).to_bytes(length, "big")


def elements(
    data: bytes | bytearray, start: int = 0, end: int | None = None
) -> Iterator[tuple[int, int, int]]:
    """(id, offset of the content, its length) of the EBML elements, parents before children."""
    parents = (0x18538067, 0x1F43B675, 0x1654AE6B, 0xAE, 0xE0, 0x1549A966, 0xA0)
    end = len(data) if end is None else end
    while start < end:
        width = 9 - data[start].bit_length() if data[start] else 9
        if width > 4:
            return
        ident = int.from_bytes(data[start : start + width], "big")
        start += width
        width = 9 - data[start].bit_length() if start < end and data[start] else 9
        if width > 8:
            return
        length = int.from_bytes(data[start : start + width], "big") & ((1 << 7 * width) - 1)
        start += width
        if length == (1 << 7 * width) - 1:  # unknown: to the end
            length = end - start
        yield ident, start, length
        if ident in parents:
            yield from elements(data, start, min(end, start + length))
        start += length


def _matroska_times(data: bytearray, rng: random.Random) -> None:
    share = rng.choice((0.1, 0.5, 1.0))
    for ident, offset, length in list(elements(data)):
        if rng.random() > share:
            continue
        if ident == 0xE7:  # a cluster's time
            _put(data, offset, length, rng.choice((*_WORDS, rng.randrange(1 << 8 * length))))
        elif ident == 0xA3:  # a block's time within it
            _put(data, offset + 1, 2, rng.choice((0, -32768, 32767, rng.randrange(65536))))
        elif ident in (0x2AD7B1, 0x23E383):  # nanoseconds of a tick, of a frame
            _put(data, offset, length, rng.choice((*_WORDS, rng.randrange(1 << 8 * length))))
        elif ident == 0x4489 and length == 8:  # the film's length
            value = rng.choice((-1.0, 0.0, 1e3, 1e12, 1e300, float("nan"), float("inf")))
            data[offset : offset + 8] = struct.pack(">d", value)


def _mpegts_times(data: bytearray, rng: random.Random) -> None:
    share = rng.choice((0.1, 0.5, 1.0))
    for found in re.finditer(rb"\x00\x00\x01[\xe0\xc0]...(.).", bytes(data), re.DOTALL):
        if not found[1][0] & 0x80 or rng.random() > share:
            continue
        for k in range(1 + bool(found[1][0] & 0x40)):
            stamp = rng.choice((0, 1, 900, 90000, 1 << 32, (1 << 33) - 1, rng.randrange(1 << 33)))
            at = found.end() + 5 * k
            if at + 5 > len(data):
                return
            head = data[at] & 0xF1
            coded = (head << 32) | (stamp >> 30 << 33) | ((stamp >> 15 & 0x7FFF) << 17) | 0x10001
            _put(data, at, 5, coded | (stamp & 0x7FFF) << 1)


def _mp4_times(data: bytearray, rng: random.Random) -> None:
    """Overwrite entries of the tables of times and the words of the headers."""
    for found in re.finditer(rb"stts|ctts|elst|mdhd|mvhd|tkhd", bytes(data)):
        if rng.random() < 0.4:
            continue
        for _ in range(rng.choice((1, 2, 5))):
            at = found.end() + 4 * rng.randrange(1, 8)
            if at + 4 <= len(data):
                _put(data, at, 4, rng.choice((*_WORDS, rng.randrange(1 << 32))))


def _avi_times(data: bytearray, rng: random.Random) -> None:
    main = data.find(b"avih") + 8
    header = data.find(b"strh") + 8
    for at in (main, main + 16, header + 20, header + 24, header + 28, header + 32):
        if rng.random() < 0.5:
            value = rng.choice((*_WORDS, rng.randrange(1 << 32))) % (1 << 32)
            data[at : at + 4] = struct.pack("<I", value)


def _ivf_times(data: bytearray, rng: random.Random) -> None:
    for at in (16, 20):  # the time base
        if rng.random() < 0.3:
            data[at : at + 4] = struct.pack("<I", rng.choice(_WORDS) % (1 << 32))
    at = 32
    while at + 12 <= len(data):
        if rng.random() < 0.5:
            stamp = rng.choice((*_WORDS, rng.randrange(1 << 40)))
            data[at + 4 : at + 12] = struct.pack("<Q", stamp)
        at += 12 + int.from_bytes(data[at : at + 4], "little")


# ---- sizes ----------------------------------------------------------------------------------

_EDGES: Final = (0, 1, 2, 4097, 8192, 8193, 16384, 32767, 65535)


def _sizes(rng: random.Random, films: Films) -> _Made:
    """Headers that promise other pictures than there are, mostly far too large ones."""
    patchers: dict[str, Callable[[bytearray, int, int], None]] = {
        "matroska": _matroska_size,
        "webm": _matroska_size,
        "mp4": _mp4_size,
        "mov": _mp4_size,
        "avi": _avi_size,
        "ivf": lambda data, w, h: _put_little(data, 12, w, h),
        "gif": lambda data, w, h: _put_little(data, 6, w, h),
        "yuv4mpegpipe": _y4m_size,
        "apng": _png_size,
    }
    film = rng.choice([f for f in ORDINARY if f.container in patchers])
    data = bytearray(films.get(film))
    width, height = rng.choice(_EDGES), rng.choice(_EDGES)
    patchers[film.container](data, width, height)
    return f"{_told(film)} {width}x{height}", film.suffix, bytes(data)


def _put_little(data: bytearray, at: int, width: int, height: int) -> None:
    data[at : at + 4] = struct.pack("<HH", width, height)


def _matroska_size(data: bytearray, width: int, height: int) -> None:
    for ident, offset, length in list(elements(data)):
        if ident in (0xB0, 0xBA):
            _put(data, offset, length, width if ident == 0xB0 else height)


def _mp4_size(data: bytearray, width: int, height: int) -> None:
    for found in re.finditer(rb"avc1|jpeg", bytes(data)):
        if found.end() + 28 <= len(data):
            data[found.end() + 24 : found.end() + 28] = struct.pack(">HH", width, height)


def _avi_size(data: bytearray, width: int, height: int) -> None:
    at = data.find(b"strf") + 12
    data[at : at + 8] = struct.pack("<II", width << 8, height << 8)


def _y4m_size(data: bytearray, width: int, height: int) -> None:
    line = data.index(b"\n")
    data[:line] = re.sub(rb" W\d+ H\d+", b" W%d H%d" % (width, height), bytes(data[:line]))


def _png_size(data: bytearray, width: int, height: int) -> None:
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))


def _odd(rng: random.Random, films: Films) -> _Made:
    film = deep(rng)
    return f"{_told(film)} {film.size[0]}x{film.size[1]}", film.suffix, films.get(film)


# ---- no films at all ------------------------------------------------------------------------


def _texts(rng: random.Random, films: Films) -> _Made:
    """What is no film, under the name of one; playlists that name other files and addresses."""
    film, data = _ordinary(rng, films)
    content = rng.choice(
        (
            b"",
            b"\0",
            bytes(5000),
            rng.randbytes(rng.choice((1, 100, 20000))),
            "anime, 日本語\n".encode() * rng.choice((1, 1000)),
            b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n",
            b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
            b"ffconcat version 1.0\nfile /etc/passwd\nfile http://127.0.0.1:9/a.mkv\n",
            b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n"
            b"m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
            b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
            b"<Period><AdaptationSet><Representation id='1'><BaseURL>http://127.0.0.1:9/a.mp4"
            b"</BaseURL></Representation></AdaptationSet></Period></MPD>",
            b"P6\n65535 65535\n255\n",
            bytes(data[: rng.randrange(1, 600)]) + rng.randbytes(4000),
            b"\x1a\x45\xdf\xa3" * 1000,
            b"ID3\x04\0\0\0\0\x7f\x7f" + rng.randbytes(3000),
        )
    )
    suffix = rng.choice((film.suffix, ".mkv", ".m3u8", ".mpd", ".sdp", ".ffconcat", ".txt"))
    return repr(content[:24]), suffix, content


_KINDS: Final[dict[str, Callable[[random.Random, Films], _Made]]] = {
    "flips": _flips,
    "truncated": _truncated,
    "spliced": _spliced,
    "joined": _joined,
    "changes": _changes,
    "times": _times,
    "sizes": _sizes,
    "odd formats": _odd,
    "no films": _texts,
}
KINDS: Final = tuple(_KINDS)
