"""Who may ask: this server's and folder's pages, on this machine unless a token says otherwise."""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .serving import LOOPBACK, host_name

COOKIE = 'fmmp_token_{}'  # by the port: hosts share their cookies among all servers of theirs
PROJECT_HEADER = 'FMMP-Project'
FOREIGN = (
    'this page is of another folder than the one that is served here now: reload it, or, to keep '
    'what is not saved yet, serve its own folder here again'
)
HEADERS = {
    'Content-Security-Policy': "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
}


class Guard:
    """Refuses requests of others' pages, and of anyone without the token if there is one.

    Without a token, the host that a request names must be this machine: a page elsewhere whose
    name is pointed here (DNS rebinding) names its own. With one, a link holds it once, and a cookie
    then.

    Args:
        app: the application.
        token: what whoever asks must know.
    """

    def __init__(self, app: ASGIApp, token: str | None = None) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the application do it."""
        if scope['type'] == 'lifespan':
            await self.app(scope, receive, send)
            return
        if scope['type'] != 'http':
            return

        async def send_with_headers(message: Message) -> None:
            if message['type'] == 'http.response.start':
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refusal(Request(scope)) or self.app
        await answer(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        headers = request.headers
        if not self.token and host_name(headers.get('host', '')) not in LOOPBACK:
            return PlainTextResponse('this server answers to localhost alone', 403)
        if _comes_from_elsewhere(headers, request):
            return PlainTextResponse("another site's page may not ask this", 403)
        if not self.token:
            return None
        cookie = COOKIE.format(request.scope['server'][1])
        if self._knows(request.query_params.get('token')) and request.url.path == '/':
            answer = RedirectResponse('/', 303)
            answer.set_cookie(cookie, self.token, httponly=True, samesite='strict')
            return answer
        if self._knows(request.cookies.get(cookie)):
            return None
        return PlainTextResponse('open the link that was printed when this was started', 401)

    def _knows(self, token: str | None) -> bool:
        return hmac.compare_digest((token or '').encode(), self.token.encode())


class SameProject:
    """Refuses what a page asks that was opened while another folder was served at the address.

    Left open in a browser, it would write that folder's labels into this one's project.

    Args:
        app: the application.
        project: the identifier that a page of this project sends.
    """

    def __init__(self, app: ASGIApp, project: str) -> None:
        self.app, self.project = app, project
        self.refusal = JSONResponse({'error': FOREIGN}, 409)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or let the application answer."""
        project = Headers(raw=scope.get('headers', [])).get(PROJECT_HEADER, self.project)
        answer = self.app if project == self.project else self.refusal
        await answer(scope, receive, send)


def _comes_from_elsewhere(headers: Headers, request: Request) -> bool:
    site, origin = headers.get('sec-fetch-site', 'none'), headers.get('origin')
    if site not in ('same-origin', 'none') and request.url.path != '/':
        return True
    return origin is not None and origin.partition('://')[2] != headers.get('host')
