"""The web application behind the page: its requests, and who may make them.

Every path starts with a random token. A request without it gets no answer that shows there is a
page; neither does a request for another host name than this machine's own (DNS rebinding).
"""

from __future__ import annotations

import json
import secrets
import time
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from rtvfi.core.errors import RtvfiError, UsageError
from rtvfi.studio.codec import bytes_of, fitted, jpeg_of, png_of
from rtvfi.studio.desk import usable_models
from rtvfi.studio.wish import curve_of, wish_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from rtvfi.core.files import Json
    from rtvfi.studio.desk import Desk
    from rtvfi.studio.jobs import Job
    from rtvfi.studio.presence import Presence
    from rtvfi.studio.wish import Wish


STATIC: Final = Path(__file__).parent / "static"
_MOST_BYTES: Final = 128 << 20
_SAMPLES: Final = 64
"""Number of line segments that a curve is drawn with."""
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def new_token() -> str:
    """A random token that cannot be guessed."""
    return secrets.token_urlsafe(24)


def application(desk: Desk, presence: Presence, token: str) -> ASGIApp:
    """The application.

    Args:
        desk: the state that the page works on.
        presence: notified of every request from a page.
        token: the first part of every path.
    """
    api = Api(desk, presence)
    routes = [
        Route("/", api.page),
        Route("/state", api.state),
        Route("/alive", api.alive, methods=["POST"]),
        Route("/bye", api.bye, methods=["POST"]),
        Route("/picture/{which:int}", api.picture),
        Route("/picture/{which:int}", api.upload, methods=["POST"]),
        Route("/film/frame", api.film_frame),
        Route("/film/choose", api.choose, methods=["POST"]),
        Route("/cutout", api.cutout, methods=["POST"]),
        Route("/curve", api.curve, methods=["POST"]),
        Route("/preview", api.preview, methods=["POST"]),
        Route("/export", api.export, methods=["POST"]),
        Route("/job/{number:int}", api.job),
        Route("/job/{number:int}", api.cancel, methods=["DELETE"]),
        Route("/job/{number:int}/picture/{k:int}", api.job_picture),
        Route("/job/{number:int}/file", api.job_file),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    app = Starlette(routes=[Mount(f"/{token}", routes=routes)])
    app.add_exception_handler(RtvfiError, _refused)
    return guarded(app)


def guarded(app: ASGIApp) -> ASGIApp:
    """Wrap an application: answer 404 to requests for other hosts or from other sites, and add
    security headers to all responses.
    """

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        given = dict(scope["headers"])
        host = given.get(b"host", b"").decode("latin-1").rpartition(":")[0]
        site = given.get(b"sec-fetch-site", b"none")
        if host not in ("127.0.0.1", "localhost") or site not in (b"none", b"same-origin"):
            await Response("Not Found", 404)(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = [(k.lower().encode(), v.encode()) for k, v in _HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await app(scope, receive, sending)

    return guard


def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RtvfiError)
    status = 400 if isinstance(error, UsageError) else 422
    return JSONResponse({"error": error.message, "hint": error.hint}, status)


class Api:
    """The requests of the page; slow work is done on other threads."""

    def __init__(self, desk: Desk, presence: Presence) -> None:
        self._desk = desk
        self._presence = presence

    def _seen(self) -> None:
        self._presence.seen(time.monotonic())

    async def page(self, _request: Request) -> Response:
        """The page itself."""
        self._seen()
        return FileResponse(STATIC / "index.html", media_type="text/html")

    async def alive(self, _request: Request) -> Response:
        """A page reports that it is still open."""
        self._seen()
        return Response(status_code=204)

    async def bye(self, _request: Request) -> Response:
        """A page reports that it is being closed."""
        self._presence.leaving(time.monotonic())
        return Response(status_code=204)

    async def state(self, _request: Request) -> Response:
        """The pictures, the film and the usable models."""
        self._seen()
        desk, film = self._desk, self._desk.film
        return JSONResponse(
            {
                "sizes": desk.sizes,
                "versions": desk.versions,
                "film": None
                if film is None
                else {
                    "duration": film.duration,
                    "rate": float(film.info.source_rate),
                    "at": str(desk.picked),
                },
                "models": await run_in_threadpool(usable_models),
            }
        )

    async def picture(self, request: Request) -> Response:
        """The first or last picture as PNG."""
        which = _which(request)

        def make() -> bytes:
            return png_of(bytes_of(self._desk.end(which)))

        return Response(await run_in_threadpool(make), media_type="image/png")

    async def upload(self, request: Request) -> Response:
        """Receive a picture file that the user chose."""
        which, data = _which(request), await _body(request)
        name = request.query_params.get("name", "picture")
        await run_in_threadpool(self._desk.put_file, which, data, name)
        return await self.state(request)

    async def film_frame(self, request: Request) -> Response:
        """A frame of the film as a small JPEG, with its times in headers."""
        at, width = _seconds(request.query_params.get("at")), request.query_params.get("width", "")
        longest = min(1024, max(16, int(width))) if width.isdecimal() else 320

        def make() -> tuple[bytes, str, str]:
            frame = self._desk.frame(at)
            jpeg = jpeg_of(bytes_of(fitted(frame.rgb, longest)))
            return jpeg, str(frame.time), str(frame.end)

        jpeg, begin, end = await run_in_threadpool(make)
        return Response(jpeg, media_type="image/jpeg", headers={"X-Time": begin, "X-End": end})

    async def choose(self, request: Request) -> Response:
        """Use a frame of the film as the first (0) or last (1) picture."""
        fields = await _json(request)
        which, at = fields.get("which"), _seconds(fields.get("at"))
        if which not in (0, 1):
            raise UsageError(f'"which" is "{which}", expected 0 or 1')

        def work() -> None:
            self._desk.pick(which, at)

        await run_in_threadpool(work)
        return await self.state(request)

    async def cutout(self, request: Request) -> Response:
        """The mask of the object inside a box, as a grey PNG."""
        box = (await _json(request)).get("box")
        if not isinstance(box, list) or len(box) != 4:
            raise UsageError("expected a box: left, top, width, height")
        try:
            numbers = [float(v) for v in box]
        except (TypeError, ValueError) as error:
            raise UsageError("expected a box of four numbers") from error
        png = await run_in_threadpool(self._desk.cut_out, numbers)
        return Response(png, media_type="image/png")

    async def curve(self, request: Request) -> Response:
        """Sample a curve through points for drawing: distances at even times."""
        curve = curve_of((await _json(request)).get("points"))
        return JSONResponse(curve.at([k / _SAMPLES for k in range(_SAMPLES + 1)]))

    async def preview(self, request: Request) -> Response:
        """Start a preview."""
        return await self._begin(request, self._desk.preview)

    async def export(self, request: Request) -> Response:
        """Start an export."""
        return await self._begin(request, self._desk.export)

    async def _begin(self, request: Request, begin: Callable[[Wish], Job]) -> Response:
        wish = wish_of(await _json(request))
        job = await run_in_threadpool(partial(begin, wish))
        return JSONResponse(job.state)

    async def job(self, request: Request) -> Response:
        """The progress of a job."""
        self._seen()
        return JSONResponse(self._job(request).state)

    async def cancel(self, _request: Request) -> Response:
        """Cancel the current job."""
        self._desk.jobs.cancel()
        return Response(status_code=204)

    async def job_picture(self, request: Request) -> Response:
        """Picture number k of a preview, as JPEG."""
        pictures, k = self._job(request).pictures, request.path_params["k"]
        if k >= len(pictures):
            raise HTTPException(404)
        return Response(pictures[k], media_type="image/jpeg")

    async def job_file(self, request: Request) -> Response:
        """The exported file."""
        file = self._job(request).file
        if file is None:
            raise HTTPException(404)
        return FileResponse(file, filename=file.name)

    def _job(self, request: Request) -> Job:
        job = self._desk.jobs.find(request.path_params["number"])
        if job is None:
            raise HTTPException(404)
        return job


def _which(request: Request) -> int:
    which: int = request.path_params["which"]
    if which not in (0, 1):
        raise HTTPException(404)
    return which


def _seconds(value: object) -> Fraction:
    try:
        return Fraction(str(value))
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f'"{value}" is not a time') from error


async def _body(request: Request) -> bytes:
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > _MOST_BYTES:
            raise UsageError(f"the upload is larger than {_MOST_BYTES >> 20} MB")
    return bytes(data)


async def _json(request: Request) -> Json:
    try:
        fields = json.loads(await _body(request))
    except (ValueError, UnicodeDecodeError) as error:
        raise UsageError("expected JSON") from error
    if not isinstance(fields, dict):
        raise UsageError("expected a JSON object")
    return fields
