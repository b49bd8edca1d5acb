"""Sheets of pictures: instances as they are annotated and as the model sees them."""

import difflib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from fmmp.errors import InputError
from fmmp.visualization import contact_sheet, draw_pose

from ..annotations import Category, Instance, load_annotations
from ..category_names import CategoryNames
from ..coco import read_coco
from ..crop import center_and_scale, crop_image, crop_keypoints, crop_transform
from ..padding import pad_keypoints

NUM_KEYPOINTS = 70  # K of the configs
IMAGE_SIZE = 256  # side of the crops, in pixels
PANEL = 384  # side of a panel, in pixels
WHITE, BLACK, BLUE, VERMILION = (255, 255, 255), (0, 0, 0), (0, 114, 178), (213, 94, 0)


def find_instances(
    ann_file: str | Path, targets: Sequence[str], count: int
) -> tuple[dict[int, Category], dict[str, list[Instance]]]:
    """Find the instances to show for categories and images.

    Args:
        ann_file: the annotation file.
        targets: names or ids of categories, and paths of images as the file has them.
        count: instances of a category, spread over all; of an image all are shown.

    Returns:
        The categories concerned by id, and the instances by target.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a target is not in the file, is ambiguous or has no instance, or the file is
            not sound.
    """
    if count < 1:
        raise InputError(f'{count} instances of a category: give at least 1')
    content = read_coco(ann_file)
    names = CategoryNames(content)
    ids = {target: names.find_name_or_id(target) for target in targets}
    images = {image['file_name']: image['id'] for image in content['images']}
    of_image = {}
    for annotation in content['annotations']:
        of_image.setdefault(annotation['image_id'], set()).add(annotation['category_id'])
    wanted = set()
    for target in targets:
        if (id_ := ids[target]) is not None:
            wanted.add(id_)
        elif target in images:
            wanted |= of_image.get(images[target], set())
        else:
            near = difflib.get_close_matches(target, [*names.shown.values(), *images], n=3)
            hint = f'did you mean {" or ".join(near)}?' if near else 'name a category or an image'
            raise InputError(f'{ann_file}: no category and no image {target!r}: {hint}')

    categories, instances = load_annotations(ann_file, sorted(wanted), allow_empty_skeleton=True)
    result = {}
    for target in targets:
        if ids[target] is not None:
            found = [x for x in instances.values() if x.category_id == ids[target]]
            chosen = np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int)
            result[target] = [found[number] for number in chosen]
        else:
            result[target] = [x for x in instances.values() if x.image == target]
            if not result[target]:
                raise InputError(f'{ann_file}: the image {target!r} has no instance')
    return categories, result


def draw_sheet(
    instances: Sequence[Instance],
    categories: dict[int, Category],
    image_folder: str | Path,
) -> np.ndarray:
    """Draw a row of panels an instance: image, crop, and the crop padded in both ways.

    Raises:
        OSError: an image is missing or cannot be read.
    """
    panels = []
    for instance in instances:
        panels += draw_instance(instance, categories[instance.category_id], image_folder)
    return contact_sheet(panels, columns=4)


def draw_instance(
    instance: Instance, category: Category, image_folder: str | Path
) -> list[np.ndarray]:
    """Draw an instance in its image, in its crop, and padded uniformly and by mixup.

    Raises:
        OSError: the image is missing or cannot be read.
    """
    path = Path(image_folder, instance.image)
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise OSError(f'{path} is missing or no readable image: mp100.py check tells more')
    image = np.ascontiguousarray(image[..., ::-1])
    affine = crop_transform(*center_and_scale(instance.box), IMAGE_SIZE)
    crop = cv2.resize(crop_image(image, affine, IMAGE_SIZE), (PANEL, PANEL))
    points, visible = crop_keypoints(instance.keypoints, instance.visible, affine, IMAGE_SIZE)

    labelled = f'{instance.visible.sum()} of {category.num_keypoints} labelled'
    posed = draw_pose(crop, points * PANEL, visible, category.skeleton)
    return [
        _titled(_draw_image(image, instance, category), f'{category.name}: {instance.image}'),
        _titled(posed, f'crop, {labelled}'),
        *(_draw_padded(crop, points, visible, category, method) for method in ('uniform', 'mixup')),
    ]


def _draw_image(image: np.ndarray, instance: Instance, category: Category) -> np.ndarray:
    """The image, fitted into a panel, with the box, the keypoints and the links."""
    height, width = image.shape[:2]
    scale = PANEL / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    panel = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    x, y, w, h = (scale * value for value in instance.box)
    corners = (round(x), round(y)), (round(x + w), round(y + h))
    cv2.rectangle(panel, *corners, BLACK, 3)
    cv2.rectangle(panel, *corners, WHITE, 1)
    return draw_pose(panel, instance.keypoints * scale, instance.visible, category.skeleton)


def _draw_padded(
    crop: np.ndarray, points: np.ndarray, visible: np.ndarray, category: Category, method: str
) -> np.ndarray:
    """The crop with the padded keypoints: rings for uniform, diamonds for mixup."""
    if not category.skeleton:
        return _titled(crop, f'{method}: no links to pad on')
    draws = np.random.default_rng(0)
    padded, shown, links = pad_keypoints(
        points,
        visible,
        category.skeleton,
        NUM_KEYPOINTS,
        method,
        lam=draws.random(NUM_KEYPOINTS),  # Beta(1, 1)
        link=draws.integers(len(category.skeleton), size=NUM_KEYPOINTS),
    )
    panel = crop.copy()
    places = np.round(np.clip(padded, -9, 9) * PANEL).astype(int).tolist()
    for i, j in links:
        if shown[i] and shown[j]:
            for colour, width in ((BLACK, 3), (WHITE, 1)):
                cv2.line(panel, places[i], places[j], colour, width, cv2.LINE_AA)
    panel = draw_pose(panel, points * PANEL, visible)
    count = len(points)
    for x, y in (place for place, seen in zip(places[count:], shown[count:], strict=True) if seen):
        if method == 'uniform':
            cv2.circle(panel, (x, y), 3, WHITE, 3, cv2.LINE_AA)
            cv2.circle(panel, (x, y), 3, BLUE, 1, cv2.LINE_AA)
        else:
            for colour, size in ((WHITE, 5), (VERMILION, 3)):
                corners = [(x - size, y), (x, y - size), (x + size, y), (x, y + size)]
                cv2.fillPoly(panel, [np.array(corners)], colour, cv2.LINE_AA)
    return _titled(panel, f'{method}: {shown[count:].sum()} padded keypoints')


def _titled(panel: np.ndarray, text: str) -> np.ndarray:
    """The panel, as wide as all, below a line of text."""
    side = PANEL - panel.shape[1]
    panel = cv2.copyMakeBorder(
        panel, 22, 0, side // 2, side - side // 2, cv2.BORDER_CONSTANT, value=WHITE
    )
    text = text if len(text) < 52 else f'{text[:49]}...'
    cv2.putText(panel, text, (4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, BLACK, 1, cv2.LINE_AA)
    return panel


def sheet_name(target: str) -> str:
    """Return the file name of a category's or image's sheet."""
    return target.replace('/', '_').replace('\\', '_') + '.png'
