"""A drawn picture whose keypoints are easy to find again when it has moved."""

import base64
import io
import json

import cv2
import numpy as np
from PIL import Image

NAMES = ['head', 'tail', 'left leg', 'right leg']
SKELETON = [(0, 1), (0, 2), (0, 3)]
POINTS = np.array([[60, 60], [180, 140], [60, 150], [180, 50]], float)
SIZE = 200, 240  # height, width
NEAR = 20  # pixels: a keypoint is found


def pixels(shift=(0, 0)):
    """The picture, moved by x and y."""
    canvas = np.full((*SIZE, 3), 200, np.uint8)
    colours = [(220, 30, 30), (30, 30, 220), (20, 140, 20), (240, 180, 0)]
    for number, (point, colour) in enumerate(zip(POINTS, colours, strict=True)):
        x, y = (point + shift).astype(int).tolist()
        if number % 2:
            cv2.rectangle(canvas, (x - 16, y - 16), (x + 16, y + 16), colour, -1)
        else:
            cv2.circle(canvas, (x, y), 18, colour, -1)
        cv2.circle(canvas, (x, y), 4 + 3 * number, (255, 255, 255), 2)
    return canvas


def png(image=None):
    """A picture's file."""
    content = io.BytesIO()
    Image.fromarray(pixels() if image is None else image).save(content, 'PNG')
    return content.getvalue()


def data_uri(image=None):
    """A picture in an address of its own."""
    return 'data:image/png;base64,' + base64.b64encode(png(image)).decode()


def write_support(folder, **more):
    """A support and its keypoint file; returns their paths."""
    (folder / 'beetle.png').write_bytes(png())
    content = {'keypoints': POINTS.tolist(), 'skeleton': SKELETON, 'names': NAMES, **more}
    (folder / 'beetle.json').write_text(json.dumps(content))
    return folder / 'beetle.png', folder / 'beetle.json'
