"""Checks of what the data sets are asked for."""

from __future__ import annotations

from fmmp.errors import InputError


def require_settings(
    data_set: str, seed: int, categories: int | None, instances: int, size: int, workers: int
) -> None:
    """Make sure that a data set can be drawn with these settings.

    Args:
        data_set: how the message calls it.
        seed: at least 0.
        categories: at least 1; None for all.
        instances: of each category, at least 2: a support and a query.
        size: of the pictures in pixels, at least 32.
        workers: processes, at least 1.

    Raises:
        InputError: one is too small; the message names it.
    """
    for setting, value, least in (
        ('seed', seed, 0),
        ('categories', categories, 1),
        ('instances', instances, 2),
        ('size', size, 32),
        ('workers', workers, 1),
    ):
        if value is not None and value < least:
            raise InputError(f'{data_set}: {setting} must be at least {least}, got {value}')
