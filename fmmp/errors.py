"""Errors that are the input's: scripts print them in one line."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """A file or a setting that cannot be used; the message names it and the way out."""


class CheckpointError(InputError):
    """A checkpoint that cannot be read, or does not belong to the model."""


class NonFiniteLossError(InputError):
    """A training's loss that is infinite or not a number; the message names the episodes' files."""


def did_you_mean(name: str, known: Iterable[object], most: int = 12) -> str:
    """The way out for an unknown name: the known ones that are near, or all of them.

    Args:
        name: the unknown one.
        known: the known ones.
        most: how many of them are worth a list.
    """
    names = {str(one).lower(): str(one) for one in known}
    near = difflib.get_close_matches(name.lower(), names, n=1)
    near += [one for one in names if len(name) > 3 and one.startswith(name.lower())][:3]
    if near:
        return f'did you mean {" or ".join(names[one] for one in dict.fromkeys(near))}?'
    if len(names) <= most:
        return f'choose from {", ".join(names.values())}'
    return 'nothing has a name like it'
