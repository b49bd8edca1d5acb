"""What is behind and below the objects: photographs, and the textures of grounds."""

from __future__ import annotations

import io
import re
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from fmmp.errors import InputError

from .meshes import open_archive, read_entry

SUFFIXES = {'.jpg', '.jpeg', '.png', '.webp'}
TERRAIN = 'art/textures/terrain/types/'
SIZE = re.compile(r'[_-]?\d+x\d+$')  # at the end of a file's name
SHORT_SIDE = 600  # of a photograph, once read
TEXTURE = 512


class Backgrounds:
    """Photographs of folders and, where there is one, 0 A.D.'s textures of grounds.

    Args:
        folders: with photographs, at any depth.
        public_zip: 0 A.D.'s archive, or None; then grounds are cut out of the photographs.

    Raises:
        InputError: a folder holds no photograph.
    """

    def __init__(self, folders: list[str | Path], public_zip: str | Path | None = None) -> None:
        self.photographs: list[Path] = []
        for folder in map(Path, folders):
            found = sorted(p for p in folder.rglob('*') if p.suffix.lower() in SUFFIXES)
            # A wallpaper comes in several sizes in one folder, and with a small picture of itself.
            found = [p for p in found if p.stem != 'screenshot']
            by_name = {(p.parent, SIZE.sub('', p.stem)): p for p in found}
            if not found:
                raise InputError(f'{folder} holds no photograph ({", ".join(sorted(SUFFIXES))})')
            self.photographs += sorted(by_name.values())
        if not self.photographs:
            raise InputError('rendering needs photographs as backgrounds: name a folder of some')
        self._zip = str(public_zip)
        self.grounds: list[str] = []
        if public_zip is not None:
            names = open_archive(str(public_zip)).namelist()
            self.grounds = sorted(
                n
                for n in names
                if n.startswith(TERRAIN)
                and n.endswith('.dds')
                and not {'norm', 'spec'} & set(_words(n))
            )

    def photograph(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """(size, size, 3) uint8, a square cut out of a photograph."""
        image = _photograph(self.photographs[rng.integers(len(self.photographs))])
        side = int(min(image.shape[:2]) * rng.uniform(0.4, 1))
        y, x = (rng.integers(length - side + 1) for length in image.shape[:2])
        square = cv2.resize(
            image[y : y + side, x : x + side], (size, size), interpolation=cv2.INTER_AREA
        )
        return square[:, ::-1] if rng.random() < 0.5 else square

    def ground(self, rng: np.random.Generator) -> np.ndarray:
        """(H, W, 4) uint8, a texture that may be repeated."""
        if self.grounds:
            return _ground(self._zip, self.grounds[rng.integers(len(self.grounds))])
        square = self.photograph(rng, TEXTURE)
        square = np.block([[[square], [square[:, ::-1]]], [[square[::-1]], [square[::-1, ::-1]]]])
        return np.dstack([square, np.full(square.shape[:2], 255, np.uint8)])


def _words(path: str) -> list[str]:
    return path.rsplit('/', 1)[-1].split('.')[0].split('_')


@lru_cache(maxsize=200)
def _photograph(path: Path) -> np.ndarray:
    """(H, W, 3) uint8, with `SHORT_SIDE` pixels on its shorter side."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError(f'{path} is no picture that OpenCV reads')
    scale = SHORT_SIDE / min(image.shape[:2])
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(image[..., ::-1])


@lru_cache(maxsize=300)
def _ground(archive: str, name: str) -> np.ndarray:
    from PIL import Image

    image = Image.open(io.BytesIO(read_entry(open_archive(archive), name)))
    image = image.convert('RGB').resize((TEXTURE, TEXTURE))
    return np.dstack([np.array(image), np.full((TEXTURE, TEXTURE), 255, np.uint8)])
