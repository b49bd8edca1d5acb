"""Drawing of SynthPose: a figure's parts as textured sprites, backgrounds, clutter and light.

Images are (H, W, 3) float32 arrays, RGB, 0 to 255. A part's texture is painted once a category and
warped into every image; `scale` is an instance's size in pixels a figure unit.
"""

import cv2
import numpy as np

from .figure import Figure, Part, Style, outline

_SPRITE_SCALE = 200  # pixels a figure unit: about the largest scale in an image of 256 × 256
_SUBPIXEL_BITS = 4  # fractional bits in the coordinates of OpenCV's polygons


class FigurePainter:
    """Paints a category's figure in any pose.

    Args:
        figure: The category.
        rng: Draws what is random in its textures.
    """

    def __init__(self, figure: Figure, rng: np.random.Generator) -> None:
        self.figure = figure
        self._sprites = [_SPRITES[part.kind](part, figure.rest, rng) for part in figure.parts]

    def paint(self, image: np.ndarray, points: np.ndarray, scale: float, tints: np.ndarray) -> None:
        """Draws all parts, back to front, in place.

        Args:
            image: (H, W, 3).
            points: (K, 2) keypoints in pixels.
            scale: Pixels a figure unit, for the parts' thickness.
            tints: (P, 3) factors on every part's colours.
        """
        for index, tint in enumerate(tints):
            self.paint_part(image, index, points, scale, tint)

    def paint_part(
        self, image: np.ndarray, index: int, points: np.ndarray, scale: float, tint: np.ndarray
    ) -> None:
        """Draws one part in place; arguments as in `paint`, with a `tint` of (3,)."""
        part, (sprite, frame) = self.figure.parts[index], self._sprites[index]
        shape = outline(part, points, scale)
        margin = 2 if part.kind == 'patch' else 2 + 0.5 * scale * part.half_width.max()
        left, top = np.maximum(shape.min(0) - margin, 0).astype(int)
        right, bottom = np.minimum(
            shape.max(0) + margin + 1, (image.shape[1], image.shape[0])
        ).astype(int)
        if right <= left or bottom <= top:
            return
        view = image[top:bottom, left:right]
        corner = np.array([left, top])
        size = (int(right - left), int(bottom - top))
        affine = _to_image(part, frame, points, scale)
        affine[:, 2] -= corner
        if part.kind != 'patch':
            warped = cv2.warpAffine(sprite, affine, size, flags=cv2.INTER_LINEAR)
            view *= 1 - warped[..., 3:]
            view += warped[..., :3] * tint
            return
        texture = cv2.warpAffine(sprite, affine, size, borderMode=cv2.BORDER_REFLECT)
        fill_polygon(view, shape - corner, texture * tint)
        if part.style.outlined:
            edge = np.zeros(view.shape[:2], np.uint8)
            closed = [_fixed_point(shape - corner)]
            width = max(1, round(scale / 120))
            cv2.polylines(edge, closed, True, 255, width, cv2.LINE_AA, _SUBPIXEL_BITS)
            view *= 1 - edge[..., None] * np.float32(0.7 / 255)


def fill_polygon(image: np.ndarray, polygon: np.ndarray, paint: np.ndarray) -> None:
    """Fills an anti-aliased polygon in place.

    Args:
        image: (H, W, 3).
        polygon: (V, 2) corners in pixels; they may lie outside the image.
        paint: A colour (3,) or an image (H, W, 3).
    """
    left, top = np.maximum(polygon.min(0) - 1, 0).astype(int)
    right, bottom = np.maximum(polygon.max(0) + 2, 0).astype(int)
    view = image[top:bottom, left:right]
    if view.size == 0:
        return
    paint = np.asarray(paint, np.float32)
    if paint.ndim == 3:
        paint = paint[top:bottom, left:right]
    mask = np.zeros(view.shape[:2], np.uint8)
    corners = _fixed_point(polygon - (left, top))
    cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    view += (np.float32(1 / 255) * mask)[..., None] * (paint - view)


def paint_background(rng: np.random.Generator, size: int) -> np.ndarray:
    """Paints a (size, size, 3) backdrop: blotches, ground and sky or a pattern, and clutter."""
    cells = int(rng.integers(2, 7))
    blotches = _muted_colours(rng, cells * cells).reshape(cells, cells, 3)
    image = cv2.resize(blotches, (size, size), interpolation=cv2.INTER_CUBIC)
    kind = rng.random()
    if kind < 0.3:
        y, slope = size * rng.uniform(0.3, 0.8), size * rng.uniform(-0.1, 0.1)
        ground = np.array([[-1, y - slope], [size, y + slope], [size, size], [-1, size]])
        fill_polygon(image, ground, image[::-1] * rng.uniform(0.5, 1.0) + 20)
    elif kind < 0.55:
        first, second = _muted_colours(rng, 2)
        period, turn = size * rng.uniform(0.03, 0.15), rng.uniform(0, np.pi)
        y, x = np.mgrid[:size, :size].astype(np.float32)
        waves = np.sin(2 * np.pi / period * (np.cos(turn) * x + np.sin(turn) * y))
        if rng.random() < 0.5:
            waves *= np.sin(2 * np.pi / period * (np.cos(turn) * y - np.sin(turn) * x))
        image += 0.25 * waves[..., None] * (first - second)
    for colour in _muted_colours(rng, int(rng.integers(3, 12))):
        fill_polygon(image, _blob(rng, size, 0.03, 0.16), colour)
    if rng.random() < 0.5:
        width = 1 + 2 * int(rng.integers(1, 1 + max(1, size // 64)))
        image = cv2.blur(image, (width, width))
    return image


def random_occluder(rng: np.random.Generator, centre: np.ndarray, radius: float) -> np.ndarray:
    """Draws the (V, 2) corners of an occluder."""
    corners = int(rng.integers(4, 9))
    angles = 2 * np.pi * (np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) / corners
    reach = radius * rng.uniform(0.7, 1.2, corners)
    stretch = np.array([rng.uniform(0.6, 1.4), rng.uniform(0.6, 1.4)])
    return centre + stretch * reach[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)


def light(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Lights a picture: uneven and coloured light, exposure, sensor noise; returns uint8."""
    height, width = image.shape[:2]
    corners = rng.uniform(0.7, 1.2, (3, 3)).astype(np.float32)
    gain = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
    cast = rng.uniform(0.88, 1.08, 3) * rng.uniform(0.8, 1.1)
    image *= gain[..., None]
    image *= cast.astype(np.float32)
    if rng.random() < 0.2:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.0) * max(width, height) / 256)
    noise = rng.integers(-128, 128, image.shape, np.int8)
    image += np.float32(rng.uniform(0, 0.1)) * noise
    return np.clip(image, 0, 255).astype(np.uint8)


def _to_image(part: Part, frame: np.ndarray, points: np.ndarray, scale: float) -> np.ndarray:
    """The 2 × 3 affine map of a sprite's pixels into the image.

    `frame` are the sprite's pixels of the part's keypoints.
    """
    corners = points[list(part.keypoints)]
    if part.kind == 'patch':
        homogeneous = np.concatenate([frame, np.ones((len(frame), 1))], 1)
        return np.linalg.lstsq(homogeneous, corners, rcond=None)[0].T
    if part.kind == 'limb':
        along = corners[1] - corners[0]
        unit = along / max(np.hypot(*along), 1e-6)
        along = along / (frame[1, 0] - frame[0, 0])
    else:
        unit = points.mean(0) - corners[0]
        unit = unit / max(np.hypot(*unit), 1e-6)
        along = scale / _SPRITE_SCALE * unit
    across = scale / _SPRITE_SCALE * np.array([-unit[1], unit[0]])
    linear = np.stack([along, across], 1)
    return np.concatenate([linear, (corners[0] - linear @ frame[0])[:, None]], 1)


def _limb_sprite(
    part: Part, rest: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The limb lying along x: (h, w, 4) premultiplied RGBA and its two ends in pixels."""
    start, end = rest[list(part.keypoints)]
    length = max(4.0, _SPRITE_SCALE * float(np.hypot(*(end - start))))
    half_width = _SPRITE_SCALE * part.half_width
    left, middle = 3 + half_width[0], 3 + half_width.max()
    x = np.arange(np.ceil(left + length + half_width[-1] + 3))[None] - left
    y = np.arange(np.ceil(2 * middle))[:, None] - middle
    along = np.clip(x, 0, length)
    limit = np.interp(along / length, np.linspace(0, 1, len(half_width)), half_width)
    distance = np.hypot(x - along, y)
    colours = _texture(part.style, x + 0 * y, y + 0 * x, (0, length), rng)
    sprite = _shaded_sprite(colours, limit - distance, 1 - (distance / limit) ** 2, part.style)
    return sprite, np.array([[left, middle], [left + length, middle]])


def _spot_sprite(
    part: Part, rest: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The disc: (h, w, 4) premultiplied RGBA and its centre in pixels."""
    radius = _SPRITE_SCALE * float(part.half_width[0])
    centre = np.ceil(radius) + 2
    y, x = np.mgrid[: 2 * centre + 1, : 2 * centre + 1] - centre
    colours = _texture(part.style, x, y, (-radius, radius), rng)
    distance = np.hypot(x, y)
    sprite = _shaded_sprite(colours, radius - distance, 1 + 0 * distance, part.style)
    return sprite, np.array([[centre, centre]])


def _patch_sprite(
    part: Part, rest: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """An opaque (h, w, 3) texture that covers the patch, and the keypoints in its pixels."""
    corners = _SPRITE_SCALE * rest[list(part.keypoints)]
    low, high = corners.min(0) - 8, corners.max(0) + 8
    width, height = np.ceil(high - low)
    y, x = np.mgrid[:height, :width]
    colours = _texture(part.style, x, y - height / 2, (0, width), rng)
    bump = np.hypot(x / width - 0.45, y / height - 0.4)
    return (colours * (1.1 - 0.6 * bump[..., None])).astype(np.float32), corners - low


_SPRITES = {'limb': _limb_sprite, 'spot': _spot_sprite, 'patch': _patch_sprite}


def _shaded_sprite(
    colours: np.ndarray, inside: np.ndarray, roundness: np.ndarray, style: Style
) -> np.ndarray:
    """Premultiplied RGBA from colours, the pixels' depth inside the outline and a shading."""
    shade = 0.6 + 0.45 * np.sqrt(np.clip(roundness, 0, 1))
    if style.outlined:
        shade = shade * (1 - 0.7 * np.clip(2.2 - inside, 0, 1))
    alpha = np.clip(inside + 0.5, 0, 1)[..., None]
    return np.concatenate([colours * shade[..., None] * alpha, alpha], -1).astype(np.float32)


def _texture(
    style: Style,
    x: np.ndarray,
    y: np.ndarray,
    span: tuple[float, float],
    rng: np.random.Generator,
) -> np.ndarray:
    """The (h, w, 3) colours of a texture at pixels (x, y) of a part that spans `span` in x."""
    first, second = (np.array(colour) for colour in style.colours)
    wave = 2 * np.pi / (_SPRITE_SCALE * style.period)
    phase = rng.uniform(0, 2 * np.pi)
    progress = np.clip((x - span[0]) / (span[1] - span[0]), 0, 1)
    if style.texture == 'plain':
        weight = np.zeros_like(progress)
    elif style.texture == 'gradient':
        weight = progress
    elif style.texture == 'halves':
        weight = _step(progress - 0.5, 0.02)
    elif style.texture == 'bands':
        weight = _step(np.sin(wave * x + phase))
    elif style.texture == 'stripes':
        weight = _step(np.sin(1.5 * wave * y + phase))
    elif style.texture == 'checker':
        weight = _step(np.sin(wave * x + phase) * np.sin(wave * y + phase))
    elif style.texture == 'dots':
        weight = _step(np.cos(wave * x + phase) * np.cos(wave * y) - 0.3)
    elif style.texture == 'zigzag':
        weight = _step(np.sin(wave * (x + np.abs(y)) + phase))
    else:
        noise = rng.standard_normal(tuple(2 + n // 10 for n in x.shape)).astype(np.float32)
        weight = _step(cv2.resize(noise, x.shape[::-1], interpolation=cv2.INTER_CUBIC))
    return first + weight[..., None] * (second - first)


def _step(value: np.ndarray, softness: float = 0.3) -> np.ndarray:
    return np.clip(0.5 + value / softness, 0, 1)


def _muted_colours(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 3) colours, less saturated than a figure's."""
    grey = rng.uniform(30, 225, (count, 1))
    return np.clip(grey + rng.normal(0, 16, (count, 3)), 0, 255).astype(np.float32)


def _blob(rng: np.random.Generator, size: int, smallest: float, largest: float) -> np.ndarray:
    """A polygon somewhere in the picture."""
    centre, radius = rng.uniform(0, size, 2), size * rng.uniform(smallest, largest)
    return random_occluder(rng, centre, radius)


def _fixed_point(points: np.ndarray) -> np.ndarray:
    return np.round(points * 2**_SUBPIXEL_BITS).astype(np.int32)
