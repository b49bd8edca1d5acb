"""Pictures of where FMMP's layers look and how they move the points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np

from fmmp.datasets.crop import center_and_scale, crop_image, crop_transform
from fmmp.datasets.evaluation import TestEpisodes
from fmmp.models.layers.samples import Step, mean_place, strongest
from fmmp.visualization import BLACK, PALETTE, WHITE, captioned, contact_sheet, save_image

from .images import read_image

PANEL_SIZE = 336  # pixels
FADED = 0.45  # the white in the pictures behind the marks
STRONGEST = 96  # samples of a keypoint that are drawn
_BITS = 4  # fractional bits of OpenCV's coordinates


def save_steps(
    dataset: TestEpisodes, pair: int, steps: Sequence[Step], keypoints: int, path: str | Path
) -> None:
    """Draw where the layers look for a pair's keypoints, the layers side by side.

    In the upper row the query: a square where the keypoint was taken to be, a line to the
    layer's answer, a cross at the truth, and discs at FGSA's samples, whose areas are their
    weights. Below it the (first) support, likewise; and, of layers with a local match, the query
    once more with the places of the window.

    Args:
        dataset: that the pair is of.
        pair: its number.
        steps: the layers', of the pair's query as the only one.
        keypoints: how many keypoints to draw, evenly apart among those that both show.
        path: of the picture.
    """
    support, query = (dataset.instances[dataset.pairs[pair][place]] for place in (0, -1))
    views, places = [], []
    for instance in (support, query):
        affine = crop_transform(*center_and_scale(instance.box), PANEL_SIZE)
        image = read_image(Path(dataset.img_prefix, instance.image))
        views.append(crop_image(image, affine, PANEL_SIZE))
        places.append((instance.keypoints @ affine[:, :2].T + affine[:, 2]) / PANEL_SIZE)
    shown = np.flatnonzero(support.visible & query.visible)
    chosen = shown[np.linspace(0, len(shown) - 1, min(keypoints, len(shown))).round().astype(int)]
    rows = [[], [], []]
    for number, step in enumerate(steps, start=1):
        before, after = step.before[0, 0].numpy(), step.after[0, 0].numpy()
        panel = _faded(views[1])
        if step.queries is not None:
            _samples(panel, strongest(step.queries, STRONGEST)[0, 0].numpy(), chosen)
        _moves(panel, before, after, places[1], chosen)
        rows[0].append(captioned(panel, f'layer {number}: query'))
        panel, text = _faded(views[0]), 'support, mined before the query is seen'
        if step.supports is not None:
            _samples(panel, strongest(step.supports, STRONGEST)[0, 0, 0].numpy(), chosen)
            text = 'support'
        for k, colour in _coloured(chosen):
            _cross(panel, places[0][k], colour)
        rows[1].append(captioned(panel, text))
        if step.window is not None:
            window = step.window[0, 0].numpy()
            panel = _faded(views[1])
            _window(panel, window, chosen)
            moved = mean_place(step.window)[0, 0].numpy()
            _moves(panel, before, moved, places[1], chosen)
            rows[2].append(captioned(panel, 'query: window'))
    panels = [panel for row in rows for panel in row]
    save_image(path, contact_sheet(panels, columns=len(steps)))


def _faded(image: np.ndarray) -> np.ndarray:
    return (image * (1 - FADED) + 255 * FADED).astype(np.uint8)


def _at(point: Sequence[float]) -> tuple[int, int]:
    """A point in sides of the panel, as OpenCV's functions with fractional bits take it."""
    x, y = np.clip(np.asarray(point) * PANEL_SIZE, -1e4, 1e4)
    return round((x - 0.5) * 2**_BITS), round((y - 0.5) * 2**_BITS)


def _coloured(chosen: Sequence[int]) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """The chosen keypoints, each with a colour of its own while there are some."""
    return zip(chosen, cycle(PALETTE), strict=False)


def _discs(
    panel: np.ndarray, samples: np.ndarray, radii: np.ndarray, colour: tuple[int, int, int]
) -> None:
    """Discs at samples (N, 3) of radii in pixels, through which the picture is seen."""
    drawn = panel.copy()
    for (x, y, _), radius in zip(samples, radii, strict=True):
        at, radius = _at((x, y)), round(radius * 2**_BITS)
        cv2.circle(drawn, at, radius, colour, -1, cv2.LINE_AA, _BITS)
        cv2.circle(drawn, at, radius, BLACK, 1, cv2.LINE_AA, _BITS)
    panel[:] = cv2.addWeighted(drawn, 0.65, panel, 0.35, 0)


def _samples(panel: np.ndarray, samples: np.ndarray, chosen: Sequence[int]) -> None:
    for k, colour in _coloured(chosen):
        _discs(panel, samples[k], 0.1 * PANEL_SIZE * np.sqrt(samples[k, :, 2]), colour)


def _window(panel: np.ndarray, window: np.ndarray, chosen: Sequence[int]) -> None:
    for k, colour in _coloured(chosen):
        low, high = window[k, :, :2].min(0), window[k, :, :2].max(0)
        cv2.rectangle(panel, _at(low), _at(high), colour, 1, cv2.LINE_AA, _BITS)
        between = (high[0] - low[0]) / (np.sqrt(len(window[k])) - 1) * PANEL_SIZE
        shares = window[k, :, 2] / window[k, :, 2].max()
        _discs(panel, window[k], between / 2 * np.sqrt(shares), colour)


def _moves(
    panel: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    truth: np.ndarray,
    chosen: Sequence[int],
) -> None:
    for k, colour in _coloured(chosen):
        _cross(panel, truth[k], colour)
        x, y = _at(before[k])
        half = round(0.013 * PANEL_SIZE * 2**_BITS)
        corners = np.array([[x - half, y - half], [x + half, y + half]])
        for paint, width in ((BLACK, 4), (colour, 2)):
            cv2.rectangle(panel, *map(tuple, corners.tolist()), paint, width, cv2.LINE_AA, _BITS)
        for paint, width in ((BLACK, 4), (colour, 2)):
            cv2.line(panel, _at(before[k]), _at(after[k]), paint, width, cv2.LINE_AA, _BITS)
        radius = round(0.016 * PANEL_SIZE * 2**_BITS)
        cv2.circle(panel, _at(after[k]), radius, colour, -1, cv2.LINE_AA, _BITS)
        cv2.circle(panel, _at(after[k]), radius, BLACK, 1, cv2.LINE_AA, _BITS)


def _cross(panel: np.ndarray, point: np.ndarray, colour: tuple[int, int, int]) -> None:
    arm = 0.025
    for paint, width in ((BLACK, 5), (WHITE, 3), (colour, 2)):
        for way in ((arm, arm), (arm, -arm)):
            cv2.line(panel, _at(point - way), _at(point + way), paint, width, cv2.LINE_AA, _BITS)
