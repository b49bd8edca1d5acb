"""A folder's pictures: found, measured, rendered for the browser, and taken in."""

from __future__ import annotations

import io
import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from fmmp.datasets.orientation import lies_on_its_side
from fmmp.errors import InputError
from fmmp.files import atomic_path

SUFFIXES = ('.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff', '.gif')
MOST_PICTURES = 10_000
MOST_BYTES = 64 << 20  # of a picture
MOST_PIXELS = 89_000_000  # below what Pillow takes for an attack
SIDES = {'thumb': 224, 'view': 4096}  # pixels of the longer side, in the browser
_FORMATS = ('JPEG', 'PNG', 'WEBP', 'BMP', 'TIFF', 'GIF')


@dataclass(frozen=True)
class Picture:
    """A picture of the folder.

    Attributes:
        width, height: pixels, turned upright as its EXIF says; 0 where it cannot be read.
        version: changes when the file does.
        error: why it cannot be read, or nothing.
    """

    width: int
    height: int
    version: int
    error: str = ''


class Folder:
    """The pictures below a folder, by their paths in it.

    Nothing else is ever read: a request names a picture of the list, and what lies elsewhere, by
    a link too, or in a hidden folder, is not listed.

    Args:
        root: the folder; it may be missing as long as it holds nothing.

    Raises:
        InputError: the path is a file.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).resolve()
        if self.root.exists() and not self.root.is_dir():
            raise InputError(f'{root} is no folder')
        self.pictures: dict[str, Picture] = {}  # replaced, never changed: threads look through it
        self._changing = threading.Lock()
        self.scan()

    def scan(self) -> None:
        """Look for the pictures that are there now; what is known of an unchanged one stays."""
        with self._changing:
            self.pictures = self._scan()

    def _scan(self) -> dict[str, Picture]:
        found = {}
        for name, status in self._files():
            version, known = status.st_mtime_ns, self.pictures.get(name)
            if not name.isprintable():
                name = name.encode('ascii', 'backslashreplace').decode()
                found[name] = Picture(0, 0, version, 'its name cannot be shown: rename it')
            else:
                is_new = known is None or known.version != version
                found[name] = self._measure(name, status) if is_new else known
            if len(found) == MOST_PICTURES:
                break
        return found

    def path(self, name: str) -> Path:
        """A picture's file.

        Raises:
            KeyError: it is none of the folder's pictures.
        """
        if name not in self.pictures or not self._is_inside(name):
            raise KeyError(name)
        return self.root / name

    def render(self, name: str, side: int) -> bytes:
        """A picture as JPEG, upright, its longer side scaled down to ``side`` pixels at most.

        Raises:
            KeyError: it is none of the folder's pictures.
            InputError: it cannot be read; it is marked so.
        """
        path = self.path(name)
        if self.pictures[name].error:
            raise InputError(self.pictures[name].error)
        try:
            render = _thumbnail if side <= SIDES['thumb'] else _render
            return render(path, side, self.pictures[name].version)
        except InputError as error:
            self.mark_broken(name, str(error))
            raise

    def mark_broken(self, name: str, error: str) -> None:
        """Keep in mind that a picture cannot be read."""
        with self._changing:
            if name in self.pictures:
                broken = Picture(0, 0, self.pictures[name].version, error)
                self.pictures = {**self.pictures, name: broken}

    def add(self, name: str, content: bytes) -> str:
        """Write a picture into the folder.

        Args:
            name: what it was called elsewhere; only its last part counts, without what is odd.
            content: the file.

        Returns:
            What it is called here.

        Raises:
            InputError: it is no whole picture, or too large, or there are too many.
        """
        if len(self.pictures) >= MOST_PICTURES:
            raise InputError(f'{MOST_PICTURES} pictures are the most: use another folder')
        if len(content) > MOST_BYTES:
            raise InputError(f'more than {MOST_BYTES >> 20} MiB')
        stem, suffix = os.path.splitext(_tame(name))
        if suffix.lower() not in SUFFIXES:
            raise InputError(f'no picture: its name ends in none of {" ".join(SUFFIXES)}')
        _decode(io.BytesIO(content))
        with self._changing:
            number, name = 1, f'{stem}{suffix}'
            while (self.root / name).exists():
                number, name = number + 1, f'{stem}_{number + 1}{suffix}'
            with atomic_path(self.root / name) as scratch:
                scratch.write_bytes(content)
            measured = self._measure(name, (self.root / name).stat())
            self.pictures = {**self.pictures, name: measured}
            return name

    def _files(self) -> Iterator[tuple[str, os.stat_result]]:
        for folder, subfolders, files in os.walk(self.root):
            subfolders[:] = sorted(s for s in subfolders if not s.startswith('.'))
            for file in sorted(files):
                name = Path(folder, file).relative_to(self.root).as_posix()
                if file.startswith('.') or Path(file).suffix.lower() not in SUFFIXES:
                    continue
                if self._is_inside(name):
                    yield name, (self.root / name).stat()

    def _is_inside(self, name: str) -> bool:
        """Whether it is a file inside of the folder, links followed."""
        try:
            path = (self.root / name).resolve(strict=True)
            return path.is_relative_to(self.root) and stat.S_ISREG(path.stat().st_mode)
        except (OSError, RuntimeError):  # gone, or links in a circle
            return False

    def _measure(self, name: str, status: os.stat_result) -> Picture:
        version = status.st_mtime_ns
        try:
            if status.st_size > MOST_BYTES:
                raise InputError(f'more than {MOST_BYTES >> 20} MiB')
            with _open(self.root / name) as image:
                width, height = image.size
                if _is_turned(image):
                    width, height = height, width
        except InputError as error:
            return Picture(0, 0, version, str(error))
        return Picture(width, height, version)


def _open(file: Path | io.BytesIO) -> Image.Image:
    """Open a picture, whose pixels are read later."""
    try:
        image = Image.open(file, formats=_FORMATS)
    except Image.DecompressionBombError:
        raise InputError(_too_large()) from None
    except Exception as error:  # whatever a damaged file leads to
        raise InputError('not a readable picture: it is empty, cut short or no picture') from error
    if image.width * image.height > MOST_PIXELS:
        image.close()
        raise InputError(_too_large())
    return image


def _is_turned(image: Image.Image) -> bool:
    """Whether its EXIF says to swap width and height."""
    if image.format == 'PNG' and 'exif' not in image.info:  # Pillow would decode it to look behind
        return False
    try:
        return lies_on_its_side(image)
    except Exception:  # damaged EXIF is none
        return False


def _too_large() -> str:
    return f'more than {MOST_PIXELS // 1_000_000} million pixels'


def _decode(file: Path | io.BytesIO, side: int = SIDES['thumb']) -> Image.Image:
    """A picture's pixels, RGB, upright, its longer side scaled down to ``side`` at most."""
    with _open(file) as image:
        try:
            image.draft('RGB', (side, side))  # JPEG: decode at a fraction of its size
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith('I'):  # 16 bits
                upper = (np.asarray(upright).astype(np.int64) >> 8).astype(np.uint8)
                upright = Image.fromarray(upper)
            upright = upright.convert('RGB')
            upright.thumbnail((side, side), reducing_gap=2.0)
            return upright
        except Exception as error:  # whatever a damaged file leads to
            raise InputError('not a readable picture: it is cut short or damaged') from error


def _render(path: Path, side: int, version: int) -> bytes:
    content = io.BytesIO()
    _decode(path, side).save(content, 'JPEG', quality=90)
    return content.getvalue()


_thumbnail = lru_cache(maxsize=2048)(_render)  # `version` tells a changed file from the one before


def _tame(name: str) -> str:
    """A file's name of letters, digits and a few signs."""
    name = name.replace('\\', '/').rpartition('/')[2]
    kept = ''.join(letter if letter.isalnum() or letter in '-_. ()' else '_' for letter in name)
    stem, suffix = os.path.splitext(kept.strip(' .'))
    return f'{stem[:80] or "picture"}{suffix}'
