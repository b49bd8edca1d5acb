"""Pictures of strangers: decoded within limits, and read from nowhere but the places allowed."""

from __future__ import annotations

import base64
import binascii
import io
import json
import urllib.request
from http.client import HTTPException
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

import numpy as np
from PIL import Image

from fmmp.apis.images import image_pixels
from fmmp.app.folder import MOST_BYTES, MOST_PIXELS
from fmmp.datasets.coco import stays_inside
from fmmp.errors import InputError

from .problems import Problem

PATHS = ('/data/', '/storage-data/', '/tasks/')  # of Label Studio's pictures
SECONDS = 20  # to wait for Label Studio
FORMATS = ('BMP', 'JPEG', 'PNG', 'TIFF', 'WEBP')


def decode(content: bytes) -> np.ndarray:
    """The pixels (H, W, 3) uint8, RGB, upright, of a picture's file.

    Raises:
        Problem: it is no whole picture, or too large.
    """
    if len(content) > MOST_BYTES:
        raise _problem(f'the picture has more than {MOST_BYTES >> 20} MiB', 413)
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Image.DecompressionBombError
            return image_pixels(image, 'the picture')
    except Image.DecompressionBombError:
        raise _problem(f'the picture has more than {MOST_PIXELS:,} pixels', 413) from None
    except InputError as error:
        raise _problem(str(error)) from error
    except Exception as error:  # whatever a damaged file leads to
        raise _problem('not a readable picture: empty, cut short or no picture') from error


def decode_base64(text: object) -> np.ndarray:
    """The pixels of a picture in base64, with or without a data URI's head.

    Raises:
        Problem: it is none, or too large.
    """
    if not isinstance(text, str) or not text:
        raise _problem("give the picture's file in base64")
    if text.startswith('data:'):
        text = text.partition(',')[2]
    try:
        return decode(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        if isinstance(error, Problem):
            raise
        raise _problem(f'not base64: {error}') from error


class Pictures:
    """Label Studio's pictures, by the addresses in its tasks.

    Local files are read below one folder, others are asked for from one Label Studio; nothing else
    is ever opened, whatever a request says.

    Args:
        folder: of the local files, Label Studio's LOCAL_FILES_DOCUMENT_ROOT; None: none are read.
        label_studio: its address, such as http://localhost:8080; None: it is never asked.
        key: an access token of a user of it.
    """

    def __init__(
        self, folder: str | Path | None = None, label_studio: str | None = None, key: str = ''
    ) -> None:
        self.folder = None if folder is None else Path(folder).resolve()
        if self.folder is not None and not self.folder.is_dir():
            raise InputError(f'{folder} is no folder')
        self.label_studio = None
        if label_studio is not None:
            parts = urlsplit(label_studio)
            if parts.scheme not in ('http', 'https') or not parts.hostname:
                raise InputError(f'{label_studio!r} is no address such as http://localhost:8080')
            self.label_studio = f'{parts.scheme}://{parts.netloc}'
        self.key = key

    def read(self, address: object) -> np.ndarray:
        """The pixels of a picture.

        Raises:
            Problem: the address is none that may be read, or leads to no picture.
        """
        if not isinstance(address, str) or not address:
            raise _problem("the task's data has no picture's address")
        if address.startswith('data:'):
            return decode_base64(address)
        try:
            parts = urlsplit(address)
            local = parse_qs(parts.query).get('d') if parts.path.endswith('/local-files/') else None
        except ValueError as error:
            raise _problem(f'{address:.200}: no address ({error})') from error
        if local and self.folder is not None:
            return decode(self._local_file(local[0]))
        server = f'{parts.scheme}://{parts.netloc}' if parts.netloc else self.label_studio
        path = unquote(parts.path)
        known = path.startswith(PATHS) and '..' not in path
        if self.label_studio is not None and server == self.label_studio and known:
            path = quote(path) + (f'?{parts.query}' if parts.query else '')
            return decode(self._download(self.label_studio + path))
        wants = '--local-files FOLDER' if local else '--label-studio ADDRESS'
        raise _problem(
            f'{address:.200}: pictures there may not be read: start the server with {wants}', 403
        )

    def _local_file(self, name: str) -> bytes:
        try:
            path = (self.folder / name).resolve() if stays_inside(name) else None
            if path is None or not path.is_relative_to(self.folder):
                raise _problem(f'{name:.200} lies outside of the folder of local files', 403)
            if not path.is_file():  # a pipe would be waited for
                raise FileNotFoundError(name)
            if path.stat().st_size > MOST_BYTES:
                raise _problem(f'{name:.200} has more than {MOST_BYTES >> 20} MiB', 413)
            return path.read_bytes()
        except (OSError, RuntimeError, ValueError) as error:
            if isinstance(error, Problem):
                raise
            raise _problem(f'{name:.200}: there is no such local file', 404) from error

    def _download(self, address: str) -> bytes:
        try:
            headers = {'Authorization': self._authorization()} if self.key else {}
            with _open(urllib.request.Request(address, headers=headers)) as answer:
                content = answer.read(MOST_BYTES + 1)
        except (HTTPException, KeyError, OSError, TypeError, ValueError) as error:
            raise _problem(f'{address:.200}: Label Studio does not give it ({error})') from error
        return content

    def _authorization(self) -> str:
        """The header for the key: a legacy token goes as it is, a personal one is exchanged."""
        if self.key.count('.') != 2:
            return f'Token {self.key}'
        request = urllib.request.Request(
            f'{self.label_studio}/api/token/refresh',
            json.dumps({'refresh': self.key}).encode(),
            {'Content-Type': 'application/json'},
        )
        with _open(request) as answer:
            return f'Bearer {json.loads(answer.read(1 << 16))["access"]}'


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Answers that lead elsewhere are errors: the key must not go there."""

    def redirect_request(self, *_: object) -> None:
        return None


def _open(request: urllib.request.Request) -> object:
    return urllib.request.build_opener(_NoRedirect).open(request, timeout=SECONDS)


def _problem(message: str, status: int = 400) -> Problem:
    return Problem(message, 'INVALID_IMAGE', status)
