"""The page's server: what it can be asked."""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
import os
import re
import socket
from collections.abc import Callable
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fmmp.errors import InputError
from fmmp.formats import FORMATS

from .examples import NAMES, add_example, example_picture
from .export import export, labels_of
from .folder import MOST_BYTES, SIDES, Folder, Picture
from .guard import Guard, SameProject
from .prediction import Predictor
from .project import Project, parse_json

MOST_JSON = 16 << 20  # bytes of a change
LONGEST_WAIT, LOOK_EVERY = 20.0, 0.03  # seconds: for changes, and between looks for them
_STATIC = {
    file.name: (file.read_bytes(), mimetypes.guess_type(file.name)[0])
    for file in files(__package__).joinpath('static').iterdir()
    if file.is_file()
}


def make_app(
    folder: Folder, project: Project, predictor: Predictor, token: str | None = None
) -> Starlette:
    """The application.

    Args:
        folder: the pictures.
        project: what is labelled in them.
        predictor: finds keypoints in the others.
        token: what whoever asks must know; None: this machine alone may ask.
    """
    api = _Api(folder, project, predictor)
    routes = [
        Route('/', _page),
        Route('/static/{name}', _page),
        Route('/api/project', api.project_, methods=['GET']),
        Route('/api/project', api.change, methods=['PATCH']),
        Route('/api/changes', api.changes),
        Route('/api/picture', api.picture),
        Route('/api/pictures', api.upload, methods=['PUT']),
        Route('/api/prediction', api.predict, methods=['PUT']),
        Route('/api/prediction', api.stop, methods=['DELETE']),
        Route('/api/example', api.example, methods=['PUT']),
        Route('/api/example', _example_picture, methods=['GET']),
        Route('/api/samples', api.samples),
        Route('/api/export', api.export),
    ]
    refusals: dict[Any, Callable] = {InputError: _refuse, KeyError: _unknown, OSError: _refuse}
    guards = [Middleware(Guard, token=token), Middleware(SameProject, project=api.id)]
    return Starlette(routes=routes, middleware=guards, exception_handlers=refusals)


class Server(uvicorn.Server):
    """A server whose end also ends what waits for news.

    Args:
        app: of `make_app`.
        predictor: its predictor.
    """

    def __init__(self, app: Starlette, predictor: Predictor) -> None:
        super().__init__(uvicorn.Config(app, log_level='warning', timeout_graceful_shutdown=3))
        self.predictor = predictor

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        self.predictor.close()
        await super().shutdown(sockets)


class _Api:
    def __init__(self, folder: Folder, project: Project, predictor: Predictor) -> None:
        self.folder, self.project, self.predictor = folder, project, predictor
        self.id = _id(folder, project)

    async def project_(self, request: Request) -> Response:
        """Everything; the folder is looked through anew."""
        await run_in_threadpool(self.folder.scan)
        changes = self.project.changes(0)
        entries, known = changes.pop('pictures'), self.folder.pictures
        return JSONResponse(
            {
                **changes,
                'project': self.id,
                'title': self.folder.root.name,
                'pictures': {n: self._shown(n, entries.get(n), seen) for n, seen in known.items()},
                'formats': FORMATS,
                'examples': NAMES,
                'status': self.predictor.status,
            }
        )

    async def change(self, request: Request) -> Response:
        """Take changes in, and answer when they are on the disk."""
        patch = parse_json(await _body(request, MOST_JSON))
        names = patch.get('pictures') if isinstance(patch, dict) else None
        for name in names if isinstance(names, dict) else ():
            if name not in self.folder.pictures:
                raise KeyError(name)
        revision = self.project.change(patch)
        await run_in_threadpool(self.project.save)
        return JSONResponse({'revision': revision})

    async def changes(self, request: Request) -> Response:
        """What has changed since a revision and a status, as soon as anything has."""
        since, status = _number(request, 'since'), request.query_params.get('status')
        loop = asyncio.get_running_loop()
        end = loop.time() + LONGEST_WAIT
        while (
            self.project.revision == since
            and _digest(self.predictor.status) == status
            and loop.time() < end
            and not self.predictor.closed
            and not await request.is_disconnected()
        ):
            await asyncio.sleep(LOOK_EVERY)
        changes, now = self.project.changes(since), self.predictor.status
        known = self.folder.pictures
        changes['pictures'] = {
            name: self._shown(name, entry, known[name])
            for name, entry in changes['pictures'].items()
            if name in known
        }
        told = {'project': self.id, 'status': now, 'digest': _digest(now)}
        return JSONResponse({**changes, **told})

    async def picture(self, request: Request) -> Response:
        """A picture's pixels, as JPEG."""
        side = SIDES.get(request.query_params.get('size', 'view'))
        if side is None:
            raise InputError(f'size: choose from {", ".join(SIDES)}')
        name = request.query_params.get('name', '')
        try:
            content = await run_in_threadpool(self.folder.render, name, side)
        except InputError:
            self.project.touch(name)
            raise
        # The address has the file's version in it.
        cache = {'Cache-Control': 'private, max-age=86400, immutable'}
        return Response(content, media_type='image/jpeg', headers=cache)

    async def upload(self, request: Request) -> Response:
        """Take a picture into the folder."""
        name = request.query_params.get('name', '')
        content = await _body(request, MOST_BYTES)
        name = await run_in_threadpool(self.folder.add, name, content)
        self.project.touch(name)
        return JSONResponse({'name': name}, 201)

    async def predict(self, request: Request) -> Response:
        """Begin to predict."""
        self.predictor.start(request.query_params.get('first'))
        return JSONResponse(self.predictor.status, 202)

    async def stop(self, request: Request) -> Response:
        """Predict no more."""
        self.predictor.stop()
        return JSONResponse(self.predictor.status)

    async def samples(self, request: Request) -> Response:
        """Where the method looks in a picture, and in the examples."""
        name = request.query_params.get('name', '')
        return JSONResponse(await run_in_threadpool(self.predictor.look, name))

    async def example(self, request: Request) -> Response:
        """Add an example's pictures, and label the first."""
        name = request.query_params.get('name', '')
        name = await run_in_threadpool(add_example, name, self.folder, self.project)
        await run_in_threadpool(self.project.save)
        return JSONResponse({'name': name}, 201)

    async def export(self, request: Request) -> Response:
        """The labels as a file of another tool."""
        asked = request.query_params
        labels = labels_of(self.folder, self.project, asked.get('predicted') == '1')
        name, content = await run_in_threadpool(export, labels, asked.get('format', ''))
        headers = {'Content-Disposition': _attachment(name)}
        return Response(content, media_type='application/octet-stream', headers=headers)

    def _shown(self, name: str, entry: dict | None, seen: Picture) -> dict:
        size = {'width': seen.width, 'height': seen.height}
        shown = {**(entry or self.project.picture(name)), **size, 'version': str(seen.version)}
        return {**shown, 'error': seen.error} if seen.error else shown


async def _page(request: Request) -> Response:
    name = request.path_params.get('name', 'index.html')
    if name not in _STATIC:
        raise KeyError(name)
    content, media_type = _STATIC[name]
    return Response(content, media_type=media_type, headers={'Cache-Control': 'no-cache'})


async def _example_picture(request: Request) -> Response:
    name = request.query_params.get('name', '')
    content = await run_in_threadpool(example_picture, name)
    return Response(content, media_type='image/jpeg', headers={'Cache-Control': 'private'})


async def _body(request: Request, most: int) -> bytes:
    """What a request brings, as long as it is not too much."""
    content = bytearray()
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > most:
                raise InputError(f'more than {most >> 20} MiB')
    except ClientDisconnect:
        raise InputError('it was cut short') from None
    return bytes(content)


def _id(folder: Folder, project: Project) -> str:
    """What a folder and its project file keep from one server to the next, and no others have."""
    # The machine's name counts, since tunnels to several machines may end at one address.
    parts = [socket.gethostname(), str(folder.root), str(project.path.resolve())]
    return hashlib.sha256(os.fsencode('\n'.join(parts))).hexdigest()[:16]


def _attachment(name: str) -> str:
    """A download's header: headers are Latin-1, and a name has its letters percent-encoded."""
    plain = re.sub(r'[^\w. ()-]', '_', name, flags=re.ASCII)
    return f'attachment; filename="{plain}"; filename*=UTF-8\'\'{quote(name, safe="")}'


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, '0')
    if not text.isdecimal() or len(text) > 15:
        raise InputError(f'{name}: give a number')
    return int(text)


def _digest(status: dict) -> str:
    return f'{status["state"]} {status["done"]} {status["total"]} {status["message"]}'


async def _refuse(request: Request, error: Exception) -> Response:
    return JSONResponse({'error': str(error)}, 400)


async def _unknown(request: Request, error: KeyError) -> Response:
    return JSONResponse({'error': 'there is no such thing here'}, 404)
