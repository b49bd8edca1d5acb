"""What is odd about annotations, and what becomes of them: the same as in the authors' release."""

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

from ..annotations import usable_box
from ..coco import ODD_VISIBILITY, odd_visibility

FEW = 3  # keypoints; below, training has hardly anything to learn from


def no_instance(annotation: dict, image: dict) -> str | None:
    """Say why a sound annotation is none of an object to learn from, None where it is."""
    if annotation.get('iscrowd'):
        return 'of crowds'
    if not any(annotation.get('keypoints') or ()) or annotation.get('num_keypoints') == 0:
        return 'without a labelled keypoint'
    if 'bbox' not in annotation or min(annotation['bbox'][2:]) < 0:
        return 'without a box, or with one of negative size'
    if usable_box(annotation, image['width'], image['height']) is None:
        return 'without a box in the image or with no area'
    return None


def oddities(annotation: dict, image: dict) -> list[str]:
    """Name what is odd about a sound annotation, and what becomes of it."""
    if reason := no_instance(annotation, image):
        return [f'annotations {reason}, which count for nothing']
    found = []
    x, y, w, h = annotation['bbox']
    if x < 0 or y < 0 or x + w > image['width'] or y + h > image['height']:
        found.append('boxes partly outside the image, which are clipped to it')
    points = np.array(annotation['keypoints'], float).reshape(-1, 3)
    points = points[points[:, 2] > 0, :2]
    if (points < 0).any() or (points > (image['width'], image['height'])).any():
        found.append('instances with labelled keypoints outside the image, which count')
    if len(points) < FEW:
        found.append(f'instances with fewer than {FEW} labelled keypoints, which count')
    if odd_visibility(annotation):
        found.append(f'annotations with {ODD_VISIBILITY}')
    return found


def count_oddities(annotations: Iterable[dict], images: Mapping[int | str, dict]) -> list[str]:
    """Return a line for each kind of oddity, with its number."""
    counts = Counter(what for x in annotations for what in oddities(x, images[x['image_id']]))
    return [f'{n} {what}' for what, n in sorted(counts.items())]
