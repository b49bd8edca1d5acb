"""The frames of the fly's and the locust's data sets, HDF5 files of DeepPoseKit-Data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from fmmp.errors import InputError

IMAGES = 'images'  # the data set of the frames in the file, (N, H, W, 1) or (N, H, W), uint8


class Frames:
    """Grey frames in an HDF5 file; MP-100 names frame i, counted from 0, ``i.jpg``.

    Attributes:
        file: the file.
        count: N, the number of frames.
        size: width and height of a frame, in pixels.

    Raises:
        ValueError: h5py is not installed, or the file cannot be read or holds no grey frames.
    """

    def __init__(self, file: Path) -> None:
        try:
            import h5py
        except ImportError:
            raise InputError(
                f'its frames are in {file}: to take them out, pip install h5py'
            ) from None
        self.file = file
        self._open = h5py.File
        try:
            with self._open(file, 'r') as content:
                shape, dtype = content[IMAGES].shape, content[IMAGES].dtype
        except (OSError, KeyError, AttributeError) as error:
            raise InputError(f'{file} has no frames that can be read: {error}') from error
        if dtype != np.uint8 or len(shape) < 3 or shape[3:] not in ((), (1,)):
            raise InputError(
                f'{file}: {IMAGES!r} is {dtype} of shape {shape}: uint8 (N, H, W, 1) is expected'
            )
        self.count = shape[0]
        self.size = shape[2], shape[1]

    def names(self) -> list[str]:
        """Return the names of all frames."""
        return [f'{number}.jpg' for number in range(self.count)]

    def has(self, name: str) -> bool:
        """Whether a frame has this name."""
        path = PurePosixPath(name)
        digits = path.stem.isascii() and path.stem.isdigit() and name == f'{int(path.stem)}.jpg'
        return digits and int(path.stem) < self.count

    def read(self, names: Iterable[str]) -> Iterator[tuple[str, np.ndarray]]:
        """Yield names and frames, (H, W) uint8."""
        with self._open(self.file, 'r') as content:
            for name in names:
                yield name, content[IMAGES][int(PurePosixPath(name).stem)].reshape(self.size[::-1])
