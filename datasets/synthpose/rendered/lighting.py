"""A scene's light, and what a camera makes of it."""

from __future__ import annotations

import cv2
import numpy as np

from .renderer import Light


def random_light(rng: np.random.Generator) -> Light:
    """A sun, low or high, yellow or white, bright or behind clouds; a sky and a second lamp."""
    clouds = rng.random() ** 2  # 1: all of the light comes from the sky
    height = rng.uniform(0.35, 1.4)
    warmth = np.array([1, 0.95, 0.85]) ** rng.uniform(0, 3)
    sky = np.array([0.9, 0.97, 1.05]) ** rng.uniform(-1, 2)
    strength = rng.uniform(0.7, 1.3)
    return Light(
        sun_direction=direction(rng.uniform(0, 2 * np.pi), height),
        sun_colour=strength * (1 - 0.8 * clouds) * 1.1 * warmth,
        lamp_direction=direction(rng.uniform(0, 2 * np.pi), rng.uniform(-0.3, 1.2)),
        lamp_colour=rng.uniform(0, 0.35) * rng.uniform(0.85, 1.1, 3),
        sky=strength * (0.35 + 0.5 * clouds) * sky,
        ground=strength * (0.15 + 0.25 * clouds) * rng.uniform(0.85, 1.1, 3),
        shine=rng.uniform(0, 0.5) if rng.random() < 0.4 else 0.0,
        softness=rng.uniform(0.001, 0.006),
    )


def direction(azimuth: float, elevation: float) -> np.ndarray:
    """(3,), towards angles in radians: from the front to the left, and upwards."""
    flat = np.cos(elevation)
    return np.array([flat * np.sin(azimuth), np.sin(elevation), flat * np.cos(azimuth)])


def photograph(colours: np.ndarray, behind: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Puts a drawing before a background, and exposes, blurs and grains the whole.

    Args:
        colours: (S, S, 4) uint8, multiplied by alpha.
        behind: (S, S, 3) uint8.
        rng: chooses how.

    Returns:
        (S, S, 3) uint8.
    """
    behind = cv2.GaussianBlur(behind, (0, 0), rng.uniform(0.3, 2.5)).astype(np.float32)
    image = colours[..., :3] + (255 - colours[..., 3:].astype(np.float32)) / 255 * behind
    balance = rng.uniform(0.8, 1.15) * rng.uniform(0.93, 1.07, 3)
    image = 255 * np.clip(image / 255 * balance, 0, 1) ** rng.uniform(0.85, 1.2)
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.2, 0.9))
    image += rng.normal(size=image.shape) * rng.uniform(0, 7)
    return np.clip(image, 0, 255).astype(np.uint8)
