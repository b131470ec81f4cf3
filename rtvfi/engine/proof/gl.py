"""Starts mpv's OpenGL renderer without a window, to test that it and torch work in one process.

Each loads its own LLVM (Mesa's radeonsi, ROCm's comgr), which was reported to crash some programs.
The context is created on EGL's surfaceless platform, so nothing appears on the screen.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from contextlib import suppress
from typing import Final

_SURFACELESS: Final = 0x31DD
_OPENGL: Final = 0x30A2
_RENDERABLE: Final = (0x3040, 8, 0x3033, 0, 0x3038)
"""EGL_RENDERABLE_TYPE = EGL_OPENGL_BIT, EGL_SURFACE_TYPE any, EGL_NONE."""
_GL_RENDERER: Final = 0x1F01


def start() -> tuple[str, object]:
    """Make an OpenGL context current in this thread, and have mpv draw with it.

    Returns:
        (name of the driver, empty without EGL or libmpv; an object that keeps the context alive).
    """
    name = ctypes.util.find_library("EGL")
    if name is None:
        return "", None
    try:
        egl = ctypes.CDLL(name)
        renderer = _current(egl)
        return (renderer, _draw(egl)) if renderer else ("", None)
    except (OSError, AttributeError, ImportError):
        return "", None


def _current(egl: ctypes.CDLL) -> str:
    for function in ("eglGetPlatformDisplay", "eglCreateContext", "eglGetProcAddress"):
        getattr(egl, function).restype = ctypes.c_void_p
    display = ctypes.c_void_p(egl.eglGetPlatformDisplay(_SURFACELESS, None, None))
    if (
        not display.value
        or not egl.eglInitialize(display, None, None)
        or not egl.eglBindAPI(_OPENGL)
    ):
        return ""
    config, count = ctypes.c_void_p(), ctypes.c_int()
    wanted = (ctypes.c_int * len(_RENDERABLE))(*_RENDERABLE)
    egl.eglChooseConfig(display, wanted, ctypes.byref(config), 1, ctypes.byref(count))
    context = ctypes.c_void_p(egl.eglCreateContext(display, config, None, None))
    if not context.value or not egl.eglMakeCurrent(display, None, None, context):
        return ""
    address = egl.eglGetProcAddress(b"glGetString")
    if not address:
        return ""
    tell = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_uint)(address)
    return (tell(_GL_RENDERER) or b"").decode(errors="replace")


def _draw(egl: ctypes.CDLL) -> object:
    """mpv's renderer on the current context."""
    import mpv

    player = mpv.MPV(vo="libmpv", config=False, ytdl=False, load_scripts=False, idle=True)
    find = mpv.MpvGlGetProcAddressFn(lambda _, function: egl.eglGetProcAddress(function))
    with suppress(RuntimeError, ValueError, SystemError):
        draws_with = {"get_proc_address": find}
        context = mpv.MpvRenderContext(player, "opengl", opengl_init_params=draws_with)
        return player, find, context
    return player, find
