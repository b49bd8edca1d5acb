"""The server: who may ask, how much at once, and what answers."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from torch import nn

from fmmp.app.serving import LOOPBACK, host_name
from fmmp.errors import InputError

from . import x_anylabeling
from .category import Category
from .images import MOST_BYTES, Pictures
from .label_studio import LabelStudio
from .problems import Problem

MOST_REQUEST = 4 * MOST_BYTES // 3 + (1 << 20)  # bytes: a picture in base64
MOST_WAITING = 16  # requests: their bodies are held meanwhile
OPEN_PATHS = ('/health', '/')


def make_app(
    load: Callable[[], nn.Module],
    categories: Mapping[str, Category],
    pictures: Pictures,
    token: str | None = None,
) -> Starlette:
    """The application.

    Args:
        load: gives the method.
        categories: what the server begins with, by name.
        pictures: where Label Studio's pictures may be read.
        token: what whoever asks must know; None: this machine alone may ask.
    """
    label_studio = LabelStudio(load, categories, pictures)
    answer = _Answers()

    async def health(request: Request) -> JSONResponse:
        now = datetime.now(timezone.utc).isoformat()
        state = {'status': 'UP', 'model_class': 'FMMP', 'models_loaded': len(categories)}
        return Json({**state, 'timestamp': now})

    async def models(request: Request) -> JSONResponse:
        return Json({'success': True, 'data': x_anylabeling.models(categories)})

    async def model(request: Request) -> JSONResponse:
        found = x_anylabeling.model(categories, request.path_params['name'])
        return Json({'success': True, 'data': found})

    async def v1_predict(request: Request) -> JSONResponse:
        found = await answer(request, lambda body: x_anylabeling.predict(categories, load, body))
        return Json({'success': True, 'data': found})

    async def setup(request: Request) -> JSONResponse:
        return Json(await answer(request, label_studio.setup))

    async def predict(request: Request) -> JSONResponse:
        return Json(await answer(request, label_studio.predict))

    async def webhook(request: Request) -> JSONResponse:
        return Json(await answer(request, label_studio.webhook), 201)

    routes = [
        Route('/', health),
        Route('/health', health),
        Route('/setup', setup, methods=['POST']),
        Route('/predict', predict, methods=['POST']),
        Route('/webhook', webhook, methods=['POST']),
        Route('/v1/models', models),
        Route('/v1/models/{name:path}/info', model),
        Route('/v1/predict', v1_predict, methods=['POST']),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, token=token)],
        exception_handlers={
            Problem: lambda _, error: refuse(str(error), error.code, error.status),
            InputError: lambda _, error: refuse(str(error)),
            HTTPException: lambda _, error: refuse(error.detail, 'HTTP', error.status_code),
            MemoryError: lambda *_: refuse('too large for this machine', 'INVALID_IMAGE', 413),
        },
    )


class Json(JSONResponse):
    """JSON in ASCII, which holds any text that a request had."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return json.dumps(content, allow_nan=False, separators=(',', ':')).encode()


def refuse(message: str, code: str = 'INVALID_REQUEST', status: int = 400) -> Json:
    """An error as X-AnyLabeling reads it; Label Studio's log shows ``detail``."""
    error = {'code': code, 'message': message}
    return Json({'success': False, 'error': error, 'detail': message}, status)


class _Answers:
    """Answers requests in threads, one at a time, and refuses more than can wait."""

    def __init__(self) -> None:
        self._waiting = 0
        self._turn = threading.Lock()  # two at once would share the processors and the memory

    async def __call__(
        self, request: Request, step: Callable[[Mapping[str, Any]], dict[str, Any]]
    ) -> dict[str, Any]:
        if self._waiting >= MOST_WAITING:
            raise Problem('too many requests are waiting: try again later', 'QUEUE_FULL', 503)
        self._waiting += 1
        try:
            content = await _body(request)
            return await run_in_threadpool(self._answer, content, step)
        finally:
            self._waiting -= 1

    def _answer(
        self, content: bytes, step: Callable[[Mapping[str, Any]], dict[str, Any]]
    ) -> dict[str, Any]:
        with self._turn:
            return step(_parse(content))


async def _body(request: Request) -> bytes:
    """What a request brings, as long as it is not too much."""
    content = bytearray()
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > MOST_REQUEST:
                message = f'more than {MOST_REQUEST >> 20} MiB'
                raise Problem(message, 'INVALID_IMAGE', 413)
    except ClientDisconnect:
        raise Problem('the request was cut short') from None
    return bytes(content)


def _parse(content: bytes) -> Mapping[str, Any]:
    """A request's JSON object."""
    try:
        found = json.loads(content, parse_constant=_no_number)
    except (RecursionError, UnicodeDecodeError, ValueError) as error:
        raise Problem(f'not JSON: {error!s:.200}') from error
    if not isinstance(found, dict):
        raise Problem('give a JSON object')
    return found


def _no_number(text: str) -> None:
    raise ValueError(f'{text} is no number')


class Guard:
    """Refuses pages of other sites, and whoever does not know the token if there is one.

    Without a token, the host that a request names must be this machine, since a page elsewhere
    whose name is pointed here (DNS rebinding) names its own. With one, it comes as X-AnyLabeling
    sends it (``Token: …``), as ``Authorization: Token …`` or ``Bearer …``, or as the password that
    Label Studio sends of a backend with basic authentication.

    Args:
        app: the application.
        token: what whoever asks must know.
    """

    def __init__(self, app: ASGIApp, token: str | None = None) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the application do it."""
        answer = self.app
        if scope['type'] == 'http':
            answer = self._refusal(Request(scope)) or self.app
        elif scope['type'] != 'lifespan':
            return
        await answer(scope, receive, send)

    def _refusal(self, request: Request) -> JSONResponse | None:
        headers = request.headers
        if 'origin' in headers or headers.get('sec-fetch-site', 'none') != 'none':
            return refuse('pages of browsers may not ask this server', 'FORBIDDEN', 403)
        if not self.token:
            if host_name(headers.get('host', '')) not in LOOPBACK:
                return refuse('this server answers to localhost alone', 'FORBIDDEN', 403)
            return None
        if request.url.path in OPEN_PATHS or self._knows(headers):
            return None
        return refuse('give the token that was printed at the start', 'UNAUTHORIZED', 401)

    def _knows(self, headers: Mapping[str, str]) -> bool:
        kind, _, given = headers.get('authorization', '').partition(' ')
        if kind.lower() == 'basic':
            try:
                given = base64.b64decode(given, validate=True).decode().partition(':')[2]
            except (binascii.Error, UnicodeDecodeError, ValueError):
                given = ''
        given = headers.get('token', given)
        return hmac.compare_digest(given.encode(), self.token.encode())
