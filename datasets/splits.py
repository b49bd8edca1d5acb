"""The categories of MP-100's five splits and of the cross-super-category settings."""

import json
from functools import cache
from pathlib import Path

from fmmp.errors import InputError

SUBSETS = ('train', 'val', 'test')


@cache
def _lists() -> dict:
    return json.loads((Path(__file__).parent / 'mp100_splits.json').read_text())


def split_categories(split: int, subset: str) -> list[int]:
    """Return the category ids of MP-100's split 1 to 5, in the order evaluation samples them in.

    Raises:
        ValueError: there is no such split or subset.
    """
    _check('subset', subset, SUBSETS)
    _check('split', split, (1, 2, 3, 4, 5))
    return list(_lists()[f'split{split}'][subset])


def cross_category(super_category: str, subset: str) -> list[int]:
    """Return the category ids of a cross-super-category setting.

    ``test`` and ``val`` are the categories of the super-category, ``train`` all of MP-100's others.

    Raises:
        ValueError: there is no such super-category or subset.
    """
    _check('subset', subset, SUBSETS)
    _check('super_category', super_category, tuple(_lists()['super_category']))
    held_out = list(_lists()['super_category'][super_category])
    if subset == 'train':
        return [category for category in range(1, 101) if category not in held_out]
    return held_out


def select_categories(selection: dict | list | tuple | None) -> list[int | str] | None:
    """Spell out a configuration's ``valid_class_ids``.

    Args:
        selection: a list of category ids or names; ``dict(split=1, subset='train')``;
            ``dict(super_category='vehicle', subset='train')``; or None for every category.

    Returns:
        The list of ids or names, or None for every category.

    Raises:
        ValueError: the selection has none of these forms, or names no known split.
    """
    if selection is None:
        return None
    if not isinstance(selection, dict):
        if isinstance(selection, str) or not len(selection):
            raise InputError(f'valid_class_ids is {selection!r}: give a list of ids or names')
        return list(selection)
    if set(selection) == {'split', 'subset'}:
        return split_categories(**selection)
    if set(selection) == {'super_category', 'subset'}:
        return cross_category(**selection)
    raise InputError(
        f"valid_class_ids has the keys {sorted(selection)}: give 'split' and 'subset', or "
        "'super_category' and 'subset' (with _delete_=True where a base config has the other)"
    )


def _check(name: str, value: object, choices: tuple) -> None:
    if value not in choices:
        raise InputError(f'unknown {name} {value!r}: choose one of {", ".join(map(str, choices))}')
