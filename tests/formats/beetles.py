"""Labels that have everything that a format can lose."""

import numpy as np
from PIL import Image

from fmmp.formats import Labelled, Labels

NAMES = ['head', 'tail', 'left leg', 'right leg']
POINTS = np.array([[20.5, 30], [100, 40.25], [50, 70], [55, 10]])
SIZE = 120, 160


def beetles():
    """Two images, one with two objects; hidden and missing keypoints, with and without boxes."""
    items = [
        Labelled('a/one.png', SIZE, POINTS, [2, 1, 2, 0], (10, 5, 110, 80)),
        Labelled('b.jpg', SIZE, POINTS + 3, [2, 2, 2, 2]),
        Labelled('b.jpg', SIZE, POINTS + 9, [2, 0, 2, 2], (9, 5, 100, 80), [0.9, 0, 0.5, 0.25]),
    ]
    return Labels('beetle', NAMES, [(0, 1), (0, 2), (0, 3)], items)


def save_images(labels, folder):
    """Black pictures of the labels' sizes."""
    for item in labels.items:
        (folder / item.image).parent.mkdir(parents=True, exist_ok=True)
        Image.new('L', item.size[::-1]).save(folder / item.image)
    return folder
