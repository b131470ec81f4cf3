"""Chooses the decoder: VA-API in a child process, CUDA in this process, or software.

Every file is first opened in software, which finds out what it holds and decodes its first picture.
A device takes over only if its own first picture is the same, which detects broken drivers.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from av.codec.hwaccel import HWAccel

from rtvfi.core.errors import DecodeError, OpenError, first_line
from rtvfi.stream.decode.container import FAILURES, is_url
from rtvfi.stream.decode.ffmpeg import HARDWARE_FORMATS, Task, VaapiReader
from rtvfi.stream.decode.hardware import no_device, probe_vaapi, why_no_cuda
from rtvfi.stream.decode.reader import FrameReader

if TYPE_CHECKING:
    from collections.abc import Callable

    import av

    from rtvfi.core.options import SourceOptions
    from rtvfi.stream.decode.pyav import PyavSource
    from rtvfi.stream.decode.reader import Reader

log = logging.getLogger(__name__)

_ANY_DEPTH: Final = ("yuv420p", "yuv420p10le")
_TAKEN: Final = {
    "h264": ("yuv420p",),  # 10 bit: no AMD chip, and no NVIDIA one before Blackwell
    "hevc": _ANY_DEPTH,
    "vp9": _ANY_DEPTH,
    "av1": _ANY_DEPTH,
    "mpeg2video": ("yuv420p",),
    "vc1": ("yuv420p",),
}
"""Pixel formats that chips decode, by codec."""
_LIGHT: Final = ("mpeg2video", "vc1")
"""Codecs that software decodes so fast that ``auto`` uses no device for them."""
_NO_PROFILE: Final = "its driver does not decode this kind of {}"


class _Refused(Exception):  # noqa: N818 - the next decoder is tried
    """A device does not decode this file; the message says why.

    Args:
        is_news: the user would not expect it, so it deserves a warning.
    """

    def __init__(self, reason: str, *, is_news: bool = False) -> None:
        super().__init__(reason)
        self.is_news = is_news


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    source: PyavSource
    options: SourceOptions
    interrupted: Callable[[], bool]

    @property
    def is_named(self) -> bool:
        return self.options.hwaccel != "auto"


def accelerate(
    source: PyavSource, path: str, options: SourceOptions, interrupted: Callable[[], bool]
) -> None:
    """Let a device decode a freshly opened source, if that is possible and worth it.

    Raises:
        DeviceError: the device named in ``options`` does not decode this file.
        Interrupted: the source cannot be used any more; close it.
    """
    file = _File(path, source, options, interrupted)
    tries = {"vaapi": _try_vaapi, "cuda": _try_cuda}
    for name in ("vaapi", "cuda") if options.hwaccel == "auto" else (options.hwaccel,):
        try:
            tries[name](file)
        except _Refused as refused:
            if file.is_named:
                raise no_device(name, str(refused)) from refused.__cause__
            if refused.is_news:
                say_once(f"decoding in software: {name}: {refused}")
            else:
                log.debug("%s: not decoded with %s: %s", path, name, refused)
        else:
            return


@lru_cache(maxsize=256)
def say_once(text: str) -> None:
    """Warn, but only the first time."""
    log.warning("%s", text)


def _check_suited(file: _File) -> None:
    info = file.source.info
    taken = _TAKEN.get(info.codec, ())
    if not taken:
        raise _Refused(f"hardware does not decode {info.codec}")
    if info.format.name not in taken:
        raise _Refused(f"hardware does not decode {info.codec} in {info.format.name}")
    if info.codec in _LIGHT and not file.is_named:
        raise _Refused(f"{info.codec} is light work")


def _try_vaapi(file: _File) -> None:
    found = probe_vaapi(file.options.vaapi_device)
    if found.device is None:
        raise _Refused(found.reason, is_news=found.is_expected)
    _check_suited(file)
    source = file.source
    if source.has_shapes:
        raise _Refused("its pictures change their shape")
    if file.options.deinterlace == "ivtc":
        raise _Refused("inverse telecine is done in software")
    if not source.has_times:
        raise _Refused("the file has no timestamps")
    if is_url(file.path) and not file.is_named:
        raise _Refused("every seek would open the address anew")
    if {"headers", "cookies", "referer"} & dict(file.options.web).keys():
        raise _Refused("its request headers would be visible on a command line")
    task = Task(
        path=file.path,
        container=source.container,
        stream_index=source.stream_index,
        tick=source.tick,
        container_start=source.container_start,
        info=source.info,
        device=found.device,
        deinterlace=file.options.deinterlace,
    )
    try:
        reader = VaapiReader(task, file.interrupted)
    except DecodeError as error:
        raise _Refused(error.message, is_news=True) from error
    _hand_over(file, reader, "vaapi", lambda _: reader.pixel_format)


def _try_cuda(file: _File) -> None:
    if reason := why_no_cuda():
        raise _Refused(reason)
    _check_suited(file)

    try:
        device = HWAccel("cuda", allow_software_fallback=False)
        reader = FrameReader(file.path, file.options, file.interrupted, device)
    except (*FAILURES, OpenError, NotImplementedError, RuntimeError) as error:
        raise _Refused(first_line(error), is_news=True) from error
    _hand_over(file, reader, "cuda", lambda frame: frame.format.name)


def _first(reader: Reader) -> av.VideoFrame:
    frame = reader.next_frame()
    if frame is None:
        raise _Refused("it gives no picture", is_news=True)
    return frame


def _hand_over(
    file: _File, reader: Reader, name: str, given: Callable[[av.VideoFrame], str | None]
) -> None:
    """Let a device's reader continue with the file, if its first picture equals software's.

    Args:
        file: the file.
        reader: the device's reader; it is closed if it is refused.
        name: "vaapi" or "cuda".
        given: returns the pixel format in which the device delivered the first picture.
    """
    source, codec = file.source, file.source.info.codec
    try:
        frame = _first(reader)
        if given(frame) not in HARDWARE_FORMATS:
            raise _Refused(_NO_PROFILE.format(codec), is_news=True)
        if reason := source.why_differs(frame):
            raise _Refused(reason, is_news=True)
    except DecodeError as error:
        reader.close()
        raise _Refused(error.message, is_news=True) from error
    except BaseException:
        reader.close()
        raise
    source.continue_with(reader, frame, f"{name} ({codec})", falls_back=not file.is_named)
    log.debug("%s: decoded with %s (%s)", file.path, name, codec)
