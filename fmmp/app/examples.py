"""Examples to start from: free photographs that installed packages hold, one of them annotated."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from fmmp.datasets.photographs import read_photographs
from fmmp.errors import InputError

from .folder import Folder
from .project import Project

NAMES = ('face', 'cat', 'cup', 'photographer')
MORE_VIEWS = 8


def example_picture(name: str, side: int = 160) -> bytes:
    """An example's first picture, small, as JPEG.

    Raises:
        KeyError: there is no such example.
    """
    content = io.BytesIO()
    if name not in NAMES:
        raise KeyError(name)
    (kind,) = read_photographs(side, names=[name])
    Image.fromarray(kind.views[0].image).save(content, 'JPEG', quality=90)
    return content.getvalue()


def add_example(name: str, folder: Folder, project: Project, more: int = MORE_VIEWS) -> str:
    """Add a kind's pictures to the folder, and label the first of them.

    Args:
        name: of `NAMES`.
        folder: for the pictures.
        project: it must have no keypoints yet.
        more: views beside the four that the demo shows.

    Returns:
        The picture that is labelled.

    Raises:
        KeyError: there is no such example.
        InputError: a package that holds it is not installed, or the project has keypoints.
    """
    if project.keypoints:
        raise InputError('there are keypoints already: start in an empty folder')
    if name not in NAMES:
        raise KeyError(name)
    (kind,) = read_photographs(more=more, names=[name])
    added = [folder.add(f'{name}_{n + 1}.png', _png(v.image)) for n, v in enumerate(kind.views)]
    view = kind.views[0]
    points = {
        f'k{k + 1}': {'x': float(x), 'y': float(y)}
        for k, (x, y) in enumerate(view.keypoints)
        if view.visible[k]
    }
    project.change(
        {
            'keypoints': [{'id': f'k{k + 1}', 'name': n} for k, n in enumerate(kind.keypoints)],
            'links': [[f'k{i + 1}', f'k{j + 1}'] for i, j in kind.skeleton],
            'pictures': {added[0]: {'points': points, 'checked': True, 'shot': True}},
        }
    )
    return added[0]


def _png(image: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(image).save(content, 'PNG')
    return content.getvalue()
