"""Converts text of unknown encoding to UTF-8, as mpv does.

mpv treats text as UTF-8 if it is valid UTF-8, and otherwise lets the library uchardet guess. libmpv
usually brings that library, so it is used here, too; without it, the likeliest of the common
encodings is chosen.
"""

from __future__ import annotations

import codecs
import ctypes
import ctypes.util
import logging
import unicodedata
from functools import cache
from typing import Final

log = logging.getLogger(__name__)

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NAMES: Final = {
    "ISO-8859-1": "cp1252",
    "SHIFT_JIS": "cp932",
    "UHC": "cp949",
    "EUC-KR": "cp949",
    "GB2312": "gb18030",
    "MAC-CYRILLIC": "mac_cyrillic",
    "MAC-CENTRALEUROPE": "mac_latin2",
    "IBM866": "cp866",
    "IBM855": "cp855",
}
"""uchardet's names of encodings that have another name in Python, or a more complete variant."""
_USUAL: Final = (
    *("cp1251", "cp1252", "cp1250", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r"),
    *("cp932", "euc_jp", "gb2312", "big5", "euc_kr"),
)
_MOST_BYTES: Final = 1 << 18
"""Bytes examined to guess an encoding."""
_WORTH: Final = {
    "kana": 1.0,
    "hangul": 0.95,
    "lower": 0.8,
    "han": 0.65,
    "letter": 0.6,
    "upper": 0.35,
    "other": 0.0,
}


def as_utf8(data: bytes, encoding: str = "") -> bytes:
    """The text in UTF-8 without a byte order mark; the same object if it is that already.

    Args:
        data: the text.
        encoding: Python's name of its encoding; empty = guess with ``encoding_of``.
    """
    encoding = encoding or encoding_of(data)
    if encoding == "utf-8" and not data.startswith(codecs.BOM_UTF8):
        return data
    for mark, name in _MARKS:
        if name == encoding and data.startswith(mark):
            data = data[len(mark) :]
    return data.decode(encoding, "replace").encode()


def encoding_of(data: bytes, codepage: str = "auto") -> str:
    """Python's name of the encoding of a text.

    Args:
        data: the text.
        codepage: mpv's option ``sub-codepage``: ``auto``, an encoding for text that is not valid
            UTF-8, or a plus sign and an encoding for all text.
    """
    told = _named(codepage)
    if told and codepage.startswith("+"):
        return told
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    if wide := _wide(data):
        return wide
    try:
        data.decode()
    except UnicodeDecodeError:
        return told or _asked(data[:_MOST_BYTES]) or _likeliest(data[:_MOST_BYTES])
    return "utf-8"


@cache
def _named(codepage: str) -> str:
    """Python's name of the encoding in ``codepage``; empty if it must be guessed."""
    name = codepage.removeprefix("+").rpartition(":")[2]
    if name.lower() in ("auto", ""):
        return ""
    try:
        return codecs.lookup(name).name
    except LookupError:
        log.warning('sub-codepage "%s" is unknown: the encoding of subtitles is guessed', name)
        return ""


def _wide(data: bytes) -> str:
    """Detect UTF-16 without a byte order mark: every second byte of simple text is zero."""
    sample = data[:4096]
    if len(sample) < 8:
        return ""
    even, odd = (sample[n::2].count(0) / len(sample[n::2]) for n in (0, 1))
    if max(even, odd) < 0.2 or min(even, odd) > 0.02:
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"


@cache
def _library() -> ctypes.CDLL | None:
    """The library uchardet; None if it is not installed."""
    name = ctypes.util.find_library("uchardet") or "libuchardet.so.0"
    try:
        library = ctypes.CDLL(name)
        library.uchardet_new.restype = ctypes.c_void_p
        library.uchardet_get_charset.restype = ctypes.c_char_p
        library.uchardet_handle_data.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
        for call in ("data_end", "get_charset", "delete"):
            getattr(library, f"uchardet_{call}").argtypes = (ctypes.c_void_p,)
    except (OSError, AttributeError):
        return None
    return library


def _asked(data: bytes) -> str:
    """uchardet's guess; empty if it has none, or is not installed."""
    library = _library()
    if library is None:
        return ""
    detector = library.uchardet_new()
    try:
        library.uchardet_handle_data(detector, data, len(data))
        library.uchardet_data_end(detector)
        told = (library.uchardet_get_charset(detector) or b"").decode("ascii", "replace").upper()
    finally:
        library.uchardet_delete(detector)
    name = _NAMES.get(told, told)
    try:
        return codecs.lookup(name).name if name else ""
    except LookupError:
        return ""


def _likeliest(data: bytes) -> str:
    """The common encoding in which most of the text is letters of one script."""
    best, most = "cp1252", -1.0
    for encoding in _USUAL:
        try:
            # The end of the sample may cut a character in two.
            text = codecs.getincrementaldecoder(encoding)("strict").decode(data)
        except UnicodeDecodeError:
            continue
        score = _score(text)
        if score > most:
            best, most = encoding, score
    return best


def _score(text: str) -> float:
    kinds = [_kind(char) for char in text if not char.isascii()]
    if not kinds:
        return 0.0
    worth = sum(_WORTH[kind] for kind in kinds) / len(kinds)
    has_hangul = kinds.count("hangul") > 0
    mixed = has_hangul and kinds.count("hangul") < 0.95 * len(kinds)
    return worth / 2 if mixed else worth  # Korean text hardly ever mixes Hangul with other letters


def _kind(char: str) -> str:
    code = ord(char)
    if 0x3041 <= code <= 0x30FF:
        return "kana"
    if 0xAC00 <= code <= 0xD7A3:
        return "hangul"
    if 0x4E00 <= code <= 0x9FFF:
        return "han"
    category = unicodedata.category(char)
    return {"Ll": "lower", "Lo": "letter", "Lu": "upper"}.get(category, "other")
