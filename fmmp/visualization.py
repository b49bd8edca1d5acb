"""Pictures of poses and episodes: plain arrays in, plain arrays out.

Images are (H, W, 3) uint8, RGB. Colours are Okabe and Ito's, which stay distinct to colour-blind
readers, and never carry meaning alone: keypoints also differ in shape and, where there is room,
bear their number; ground truth is hollow; a miss is crossed out. Markers and text grow with the
picture.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from fmmp.files import atomic_path

ORANGE, SKY_BLUE, GREEN = (230, 159, 0), (86, 180, 233), (0, 158, 115)
YELLOW, BLUE, VERMILION, PURPLE = (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167)
PALETTE = (SKY_BLUE, ORANGE, GREEN, YELLOW, PURPLE, BLUE, VERMILION)
BLACK, WHITE = (0, 0, 0), (255, 255, 255)

_SUBPIXEL_BITS = 4  # fractional bits in the coordinates of OpenCV's drawing functions
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_pose(
    image: np.ndarray,
    keypoints: np.ndarray,
    visible: np.ndarray | None = None,
    skeleton: Sequence[tuple[int, int]] = (),
) -> np.ndarray:
    """Draws keypoints and the links between them.

    Args:
        image: (H, W, 3) uint8.
        keypoints: (K, 2) pixels.
        visible: (K,) bool, which to draw; all unless given.
        skeleton: Links, pairs of keypoint indices.

    Returns:
        A new (H, W, 3) uint8 image.

    Raises:
        ValueError: An array has another shape or type.
    """
    image, keypoints, visible = _checked(image, keypoints, visible)
    unit = _unit(image, keypoints[visible])
    for i, j in skeleton:
        if visible[i] and visible[j]:
            _line(image, keypoints[i], keypoints[j], WHITE, unit)
    for k in np.flatnonzero(visible):
        _marker(image, keypoints[k], k, unit)
    _write_numbers(image, keypoints, np.flatnonzero(visible), unit)
    return image


def draw_prediction(
    image: np.ndarray,
    prediction: np.ndarray,
    ground_truth: np.ndarray | None = None,
    visible: np.ndarray | None = None,
    skeleton: Sequence[tuple[int, int]] = (),
    predicted: np.ndarray | None = None,
    tolerance: float = np.inf,
) -> np.ndarray:
    """Draws a prediction, the ground truth as hollow markers and the errors between them.

    Args:
        image: (H, W, 3) uint8.
        prediction: (K, 2) pixels.
        ground_truth: (K, 2) pixels.
        visible: (K,) bool, which keypoints have ground truth; all unless given.
        skeleton: Links, pairs of keypoint indices.
        predicted: (K,) bool, which predictions to draw; all unless given.
        tolerance: Largest error of a hit, pixels; a miss is crossed out.

    Returns:
        A new (H, W, 3) uint8 image.

    Raises:
        ValueError: An array has another shape or type.
    """
    image, prediction, predicted = _checked(image, prediction, predicted)
    if ground_truth is None:
        return draw_pose(image, prediction, predicted, skeleton)
    _, ground_truth, visible = _checked(image, ground_truth, visible)
    if len(ground_truth) != len(prediction):
        raise ValueError(f'{len(prediction)} predicted keypoints, {len(ground_truth)} true ones')
    unit = _unit(image, ground_truth[visible])
    miss = _distance(prediction, ground_truth) >= tolerance
    both = np.flatnonzero(visible & predicted)
    for i, j in skeleton:
        if predicted[i] and predicted[j]:
            _line(image, prediction[i], prediction[j], WHITE, 0.6 * unit)
    for k in np.flatnonzero(visible):
        _marker(image, ground_truth[k], k, unit, hollow=True)
    for k in both:
        colour = VERMILION if miss[k] else SKY_BLUE
        _line(image, ground_truth[k], prediction[k], colour, 1.6 * unit)
    for k in np.flatnonzero(predicted):
        _marker(image, prediction[k], k, unit)
    for k in both[miss[both]]:
        _cross(image, prediction[k], unit)
    _write_numbers(image, prediction, np.flatnonzero(predicted), unit)
    return image


def draw_episode(
    support_images: Sequence[np.ndarray],
    support_keypoints: Sequence[np.ndarray],
    query_image: np.ndarray,
    prediction: np.ndarray,
    ground_truth: np.ndarray | None = None,
    *,
    support_visible: Sequence[np.ndarray] | None = None,
    visible: np.ndarray | None = None,
    support_boxes: Sequence[Sequence[float]] | None = None,
    query_box: Sequence[float] | None = None,
    skeleton: Sequence[tuple[int, int]] = (),
    title: str = '',
    panel_size: int = 384,
) -> np.ndarray:
    """Draws an episode: the supports, then the query with its prediction, ground truth and score.

    Args:
        support_images: S images.
        support_keypoints: S arrays (K, 2), pixels.
        query_image: The query.
        prediction: (K, 2) pixels of the query.
        ground_truth: (K, 2) pixels of the query; without it there is no score.
        support_visible: S arrays (K,) bool; all keypoints unless given.
        visible: (K,) bool, which keypoints have ground truth; all unless given.
        support_boxes: S boxes (x, y, w, h); a panel shows 1.25 times its box, or everything.
        query_box: The query's box; PCK@0.2 is normalised by its longer side, or by that of the
            ground truth's extent.
        skeleton: Links, pairs of keypoint indices.
        title: A line above, such as the category's name.
        panel_size: Height and width of a panel in pixels.

    Returns:
        (H, W, 3) uint8 image.

    Raises:
        ValueError: An array has another shape or type, or the numbers of supports differ.
    """
    shots = len(support_images)
    support_boxes = support_boxes or [None] * shots
    support_visible = support_visible or [None] * shots
    if not len(support_keypoints) == len(support_boxes) == len(support_visible) == shots:
        raise ValueError('support images, keypoints, visibilities and boxes differ in number')

    panels, captions, known = [], [], np.ones(len(prediction), bool)
    for image, keypoints, seen, box in zip(
        support_images, support_keypoints, support_visible, support_boxes, strict=True
    ):
        image, keypoints, seen = _checked(image, keypoints, seen)
        view, affine = _zoom(image, box, panel_size)
        panels.append(draw_pose(view, _apply(affine, keypoints), seen, skeleton))
        captions.append(f'support {len(panels)}' if shots > 1 else 'support')
        known = known & seen

    image, prediction, _ = _checked(query_image, prediction, None)
    view, affine = _zoom(image, query_box, panel_size)
    caption, tolerance, truth = 'query', np.inf, None
    if ground_truth is not None:
        _, ground_truth, visible = _checked(image, ground_truth, visible)
        scored = visible & known
        extent = query_box[2:] if query_box is not None else np.ptp(ground_truth[visible], axis=0)
        radius = 0.2 * float(np.max(extent))
        hits = int((_distance(prediction, ground_truth)[scored] < radius).sum())
        share = 100 * hits / max(int(scored.sum()), 1)
        caption = f'query: PCK@0.2 {share:.0f} ({hits}/{int(scored.sum())})'
        tolerance, truth = radius * affine[0, 0], _apply(affine, ground_truth)
    panels.append(
        draw_prediction(
            view, _apply(affine, prediction), truth, visible, skeleton, known, tolerance
        )
    )
    captions.append(caption)
    row = contact_sheet(
        [captioned(panel, text) for panel, text in zip(panels, captions, strict=True)], shots + 1
    )
    return captioned(row, title, above=True, height=panel_size) if title else row


def contact_sheet(panels: Sequence[np.ndarray], columns: int, gap: int = 8) -> np.ndarray:
    """Arranges pictures in a grid, row by row, on white.

    Args:
        panels: Images of any sizes; each is centred in a cell as large as the largest.
        columns: Pictures a row.
        gap: Pixels between cells and around them.

    Returns:
        (H, W, 3) uint8 image.

    Raises:
        ValueError: There are no panels or no columns.
    """
    if not panels or columns < 1:
        raise ValueError('a contact sheet needs at least one panel and one column')
    height = max(panel.shape[0] for panel in panels) + gap
    width = max(panel.shape[1] for panel in panels) + gap
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    sheet = np.full((rows * height + gap, columns * width + gap, 3), 255, np.uint8)
    for number, panel in enumerate(panels):
        row, column = divmod(number, columns)
        y = gap + row * height + (height - gap - panel.shape[0]) // 2
        x = gap + column * width + (width - gap - panel.shape[1]) // 2
        sheet[y : y + panel.shape[0], x : x + panel.shape[1]] = panel
    return sheet


def save_image(path: str | Path, image: np.ndarray) -> None:
    """Writes an RGB image as PNG or JPEG, by the path's suffix; whole or not at all.

    Raises:
        ValueError: The suffix is another.
    """
    path = Path(path)
    if path.suffix.lower() not in ('.png', '.jpg', '.jpeg'):
        raise ValueError(f'{path}: pictures are saved as .png, .jpg or .jpeg')
    _, encoded = cv2.imencode(path.suffix, np.ascontiguousarray(image[..., ::-1]))
    with atomic_path(path) as scratch:
        scratch.write_bytes(encoded.tobytes())


def _checked(
    image: np.ndarray, keypoints: np.ndarray, visible: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A copy of the image, the keypoints as float and the visibility as bool."""
    image, keypoints = np.asarray(image), np.asarray(keypoints, float)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f'an image must be (H, W, 3) uint8, got {image.shape} {image.dtype}')
    if keypoints.ndim != 2 or keypoints.shape[1] != 2:
        raise ValueError(f'keypoints must be (K, 2), got {keypoints.shape}')
    visible = np.ones(len(keypoints), bool) if visible is None else np.asarray(visible) > 0
    if visible.shape != (len(keypoints),):
        raise ValueError(f'visibility must be ({len(keypoints)},), got {visible.shape}')
    return image.copy(), keypoints, visible & np.isfinite(keypoints).all(1)


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.hypot(*(a - b).T)


def _unit(image: np.ndarray, points: np.ndarray) -> float:
    """Pixels that a link is wide: 1 in a picture of 256 pixels, less where points are crowded."""
    unit = np.sqrt(image.shape[0] * image.shape[1]) / 256
    if len(points) > 1:
        distance = np.hypot(*(points[:, None] - points).transpose(2, 0, 1))
        np.fill_diagonal(distance, np.inf)
        unit *= np.clip(np.median(distance.min(0)) / (10 * unit), 0.5, 1)
    return max(0.4, unit)


def _zoom(
    image: np.ndarray, box: Sequence[float] | None, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """A (size, size, 3) view of a box and a quarter more, or of all, and the affine map to it."""
    x, y, w, h = (0, 0, image.shape[1], image.shape[0]) if box is None else box
    side = max(w, h, 1) * (1.0 if box is None else 1.25)
    scale = size / side
    corner = np.array([x + w / 2, y + h / 2]) - side / 2
    if scale < 1:  # average before sampling, so that fine detail does not alias
        image = cv2.GaussianBlur(image, (0, 0), 0.45 / scale)
    affine = np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]]])
    flags = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR
    return cv2.warpAffine(image, affine, (size, size), flags=flags, borderValue=WHITE), affine


def _apply(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ affine[:, :2].T + affine[:, 2]


def captioned(
    panel: np.ndarray, text: str, above: bool = False, height: int | None = None
) -> np.ndarray:
    """The panel with a line of text in a white strip, shrunk where it would not fit."""
    line = max(14, round((height or panel.shape[0]) * 0.07))
    strip = np.full((line, panel.shape[1], 3), 255, np.uint8)
    scale = 0.6 * line / cv2.getTextSize('X', _FONT, 1, 1)[0][1]
    width = cv2.getTextSize(text, _FONT, scale, 1)[0][0]
    scale *= min(1, (panel.shape[1] - 8) / max(width, 1))
    corner = (4, round(0.78 * line))
    cv2.putText(strip, text, corner, _FONT, scale, BLACK, 1 + round(scale), cv2.LINE_AA)
    return np.concatenate([strip, panel] if above else [panel, strip])


def _fixed_point(points: np.ndarray) -> np.ndarray:
    return np.round(np.clip(points, -1e4, 1e5) * 2**_SUBPIXEL_BITS).astype(np.int32)


def _line(
    image: np.ndarray, start: np.ndarray, end: np.ndarray, colour: tuple[int, ...], width: float
) -> None:
    """A line on a dark edge, to stand out from any background."""
    ends = [tuple(map(int, _fixed_point(point))) for point in (start, end)]
    for paint, thickness in ((BLACK, width + 1.5), (colour, width)):
        cv2.line(image, *ends, paint, max(1, round(thickness)), cv2.LINE_AA, _SUBPIXEL_BITS)


def _marker(image: np.ndarray, at: np.ndarray, k: int, unit: float, hollow: bool = False) -> None:
    """Keypoint k's marker: a colour, and after each round of colours another shape."""
    colour = PALETTE[k % len(PALETTE)]
    corners, turn = ((24, 0), (4, np.pi / 4), (3, -np.pi / 2), (4, 0))[k // len(PALETTE) % 4]
    angles = turn + 2 * np.pi * np.arange(corners) / corners
    radius = (1 + 2.8 * unit) * (1.0 if corners > 4 else 1.25)
    shape = np.stack([np.cos(angles), np.sin(angles)], 1)
    draw = {'lineType': cv2.LINE_AA, 'shift': _SUBPIXEL_BITS}
    if hollow:
        ring = [_fixed_point(at + 1.2 * radius * shape)]
        cv2.polylines(image, ring, True, BLACK, max(2, round(2.4 * unit)), **draw)
        cv2.polylines(image, ring, True, colour, max(1, round(1.2 * unit)), **draw)
        return
    edges = ((BLACK, 0.6 + 0.8 * unit), (WHITE, 0.3 * unit), (colour, -0.5 * unit))
    for paint, margin in edges:
        cv2.fillPoly(image, [_fixed_point(at + (radius + margin) * shape)], paint, **draw)


def _cross(image: np.ndarray, at: np.ndarray, unit: float) -> None:
    for direction in ((1, 1), (1, -1)):
        arm = (1 + 3 * unit) * np.array(direction)
        _line(image, at - arm, at + arm, VERMILION, unit)


def _write_numbers(
    image: np.ndarray, keypoints: np.ndarray, shown: np.ndarray, unit: float
) -> None:
    """Writes the indices of those keypoints that have room for it, away from their neighbours."""
    height = 3 + 5 * unit
    if height < 7:
        return
    scale = height / cv2.getTextSize('0', _FONT, 1, 1)[0][1]
    for k in shown:
        if (keypoints[k] < 0).any() or (keypoints[k] >= image.shape[1::-1]).any():
            continue
        away = keypoints[k] - keypoints[shown]
        distance = np.hypot(*away.T)
        near = (distance > 0) & (distance < 6 * height)
        if (distance[near] < 2.2 * height).any():
            continue
        pull = (away[near] / distance[near, None] ** 2).sum(0) if near.any() else np.array([1, -1])
        pull = pull / max(np.hypot(*pull), 1e-9)
        width = cv2.getTextSize(str(k), _FONT, scale, 1)[0][0]
        centre = keypoints[k] + pull * (1 + 3 * unit + 0.5 * np.hypot(width, height))
        corner = centre + np.array([-width, height]) / 2
        corner = np.clip(corner, (2, height + 2), (image.shape[1] - width - 2, image.shape[0] - 3))
        _write(image, str(k), corner, scale, max(1, round(unit)))


def _write(image: np.ndarray, text: str, corner: np.ndarray, scale: float, edge: int) -> None:
    """White text on a dark edge; `corner` is its lower left."""
    around = [(x, y) for x in (-edge, 0, edge) for y in (-edge, 0, edge) if x or y]
    for paint, shifts in ((BLACK, around), (WHITE, [(0, 0)])):
        for shift in shifts:
            at = tuple(int(value) for value in np.round(corner + shift))
            cv2.putText(image, text, at, _FONT, scale, paint, edge, cv2.LINE_AA)
