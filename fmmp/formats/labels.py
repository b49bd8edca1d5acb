"""What every format holds: one category's keypoints in images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from fmmp.datasets.coco import stays_inside
from fmmp.datasets.orientation import upright_size
from fmmp.errors import InputError, did_you_mean

IMAGES = {'.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp'}
Box = tuple[float, float, float, float]
# Where Pillow finds an orientation, too, though OpenCV, which reads the pixels, does not.
_PASSED_OVER = 'xmp', 'XML:com.adobe.xmp', 'Raw profile type exif'


@dataclass(eq=False)
class Labelled:
    """An object's keypoints in an image.

    Attributes:
        image: the image's path in the image folder, with forward slashes.
        size: height and width in pixels; None if not known.
        keypoints: (K, 2) pixels from the image's corner; (0, 0) where not labelled.
        visible: (K,) as in COCO: 0 not labelled, 1 labelled though hidden, 2 visible; bools, too.
        box: x, y, width, height in pixels; None for the whole image.
        confidence: (K,) in [0, 1] of predicted keypoints; None if labelled by a person.
    """

    image: str
    size: tuple[int, int] | None
    keypoints: np.ndarray
    visible: np.ndarray
    box: Box | None = None
    confidence: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Bring the arrays into one form.

        Raises:
            InputError: shapes do not fit, or a labelled keypoint or the box is no number.
        """
        try:
            self._to_arrays()
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(f'{self.image}: {error}') from error

    def _to_arrays(self) -> None:
        visible = np.asarray(self.visible)
        visible = visible * 2 if visible.dtype == bool else visible
        if visible.ndim != 1 or not np.isin(visible, (0, 1, 2)).all():
            raise ValueError('give a visibility of 0, 1 or 2 a keypoint')
        self.visible = visible.astype(int)
        count = len(visible)
        keypoints = np.asarray(self.keypoints, float)
        if keypoints.shape != (count, 2):
            raise ValueError(f'{count} visibilities, but keypoints of shape {keypoints.shape}')
        self.keypoints = np.where(self.visible[:, None] > 0, keypoints, 0.0)
        if not np.isfinite(self.keypoints).all():
            raise ValueError('a labelled keypoint is no finite number')
        if self.confidence is not None:
            self.confidence = np.asarray(self.confidence, float)
            if self.confidence.shape != (count,) or not np.isfinite(self.confidence).all():
                raise ValueError(f'give a finite confidence for each of {count} keypoints')
        if self.box is not None:
            self.box = tuple(map(float, self.box))
            if len(self.box) != 4 or not np.isfinite(self.box).all():
                raise ValueError('a box is x, y, width, height, in finite numbers')
        if self.size is not None:
            height, width = map(int, self.size)
            if height < 1 or width < 1:
                raise ValueError(f'an image of {height} x {width} pixels')
            self.size = height, width

    @property
    def score(self) -> float:
        """The mean confidence of the labelled keypoints; 1 if a person labelled them."""
        if self.confidence is None or not self.visible.any():
            return 1.0
        return float(self.confidence[self.visible > 0].mean())

    @property
    def full_box(self) -> Box:
        """The box; of none, that of the whole image."""
        if self.box is not None:
            return self.box
        height, width = self.size
        return 0.0, 0.0, float(width), float(height)


@dataclass(eq=False)
class Labels:
    """Keypoints of one category.

    Attributes:
        category: its name.
        names: its keypoints' names, K of them, no two alike.
        skeleton: links, pairs of keypoints counted from 0.
        items: the labelled objects.
    """

    category: str
    names: Sequence[str]
    skeleton: Sequence[tuple[int, int]] = ()
    items: list[Labelled] = field(default_factory=list)

    def check(self, where: str | Path) -> None:
        """Make sure that all parts fit together; ``where`` begins the errors.

        Raises:
            InputError: they do not.
        """
        count = len(self.names)
        if not isinstance(self.category, str) or not self.category:
            raise InputError(f'{where}: the category needs a name')
        if not count or not all(isinstance(name, str) and name for name in self.names):
            raise InputError(f'{where}: the keypoints of {self.category!r} need names')
        if len(set(self.names)) < count:
            twice = next(name for name in self.names if list(self.names).count(name) > 1)
            raise InputError(f'{where}: two keypoints of {self.category!r} are named {twice!r}')
        for name in (self.category, *self.names):
            if not name.isprintable():
                raise InputError(f'{where}: the name {name!r} has characters that cannot be seen')
        if not all(0 <= i < count and 0 <= j < count for i, j in self.skeleton):
            raise InputError(
                f'{where}: the skeleton of {self.category!r} links others than its {count} '
                'keypoints, counted from 0'
            )
        for item in self.items:
            if len(item.visible) != count:
                raise InputError(
                    f'{where}: {self.category!r} has {count} keypoints, {item.image} '
                    f'{len(item.visible)}'
                )

    def images(self) -> dict[str, list[Labelled]]:
        """The objects by image, in the order of their first appearance."""
        images = {}
        for item in self.items:
            images.setdefault(item.image, []).append(item)
        return images


def choose(found: Mapping[str, Labels], category: str | None, path: str | Path) -> Labels:
    """One category of a file.

    Args:
        found: what the file has, by category.
        category: the wanted one; None where the file has but one.
        path: the file, for errors.

    Raises:
        InputError: there is none, or several and none is named.
    """
    if category is None:
        found = {name: labels for name, labels in found.items() if labels.items} or found
        if len(found) == 1:
            return next(iter(found.values()))
        if not found:
            raise InputError(f'{path}: no keypoints in it')
        raise InputError(f'{path} has several categories: name one of {", ".join(found)}')
    if category not in found:
        raise InputError(f'{path}: no category {category!r}: {did_you_mean(category, found)}')
    return found[category]


def require_sizes(labels: Labels, path: str | Path) -> None:
    """Make sure that the size of every image is known, which most formats state.

    Raises:
        InputError: one is not.
    """
    for item in labels.items:
        if item.size is None:
            raise InputError(
                f'{path}: the size of {item.image} is not known: name the folder of the images '
                'when the labels are read (images=…, --images)'
            )


def require_inside(labels: Labels, path: str | Path) -> None:
    """Make sure that no image's path leads out of its folder, where files are named by images.

    Raises:
        InputError: one does.
    """
    for item in labels.items:
        if not stays_inside(item.image) or not PurePosixPath(item.image).name:
            raise InputError(
                f'{path}: the image {item.image!r:.200} lies outside of the image folder: its '
                'labels would, too'
            )


def image_size(folder: str | Path | None, image: str) -> tuple[int, int] | None:
    """Height and width of an image of a folder by its file's head; None if it is not there.

    A photograph whose EXIF says that it lies on its side is turned first, as viewers do.
    """
    if folder is None or not stays_inside(image):
        return None
    try:
        with Image.open(Path(folder, image)) as file:
            if file.format == 'PNG':
                file.load()  # what is to be passed over may come after the pixels
            for key in _PASSED_OVER:
                file.info.pop(key, None)
            width, height = upright_size(file)
            return height, width
    except (OSError, ValueError, Image.DecompressionBombError):
        return None


def common_names(paths: Iterable[str]) -> dict[str, str]:
    """Images' paths below the folder that all of them share; relative ones stay as they are."""
    posix = {path: path.replace('\\', '/') for path in dict.fromkeys(paths)}
    folders = [PurePosixPath(path).parent.parts for path in posix.values()]
    shared = 0
    if not all(stays_inside(path) for path in posix):
        while len({parts[: shared + 1] for parts in folders}) == 1 and len(folders[0]) > shared:
            shared += 1
    return {path: '/'.join(PurePosixPath(name).parts[shared:]) for path, name in posix.items()}


def frame_path(paths: Sequence[str], number: int) -> str:
    """The path of a frame: of a list of images, one of them; of a film, ``film.mp4/17``."""
    if len(paths) > 1 or Path(paths[0]).suffix.lower() in IMAGES:
        return paths[number]
    return f'{paths[0]}/{number}'
