"""Whether a value is what a signature's annotation asks for."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from fmmp.errors import did_you_mean


@dataclass(frozen=True)
class AtLeast:
    """The smallest number that an ``Annotated`` parameter takes."""

    smallest: float


Positive = Annotated[int, AtLeast(1)]
NotNegative = Annotated[int, AtLeast(0)]


def problem_with(value: object, hint: object) -> str | None:
    """What is wrong with a value, such as ``is 1.5: give a whole number``; None if nothing is.

    Hints that say nothing of numbers, texts and their like are taken to be fulfilled, and so are
    dictionaries and lists in place of objects, which a class may build from them.

    Args:
        value: a setting's.
        hint: the annotation, such as ``int | None`` or ``Annotated[int, AtLeast(1)]``.
    """
    if _fits(value, hint):
        return None
    options = _options(hint)
    choices = [choice for option in options for choice in typing.get_args(option)]
    if all(typing.get_origin(option) is Literal for option in options):
        return f'is {value!r}: {did_you_mean(str(value), choices)}'
    words = dict.fromkeys(filter(None, map(_words, options)))
    return f'is {value!r}: give {" or ".join(words)}'


def _options(hint: object) -> tuple[object, ...]:
    """The alternatives of a union, or the hint alone."""
    if typing.get_origin(hint) in (Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


def _fits(value: object, hint: object) -> bool:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, option) for option in arguments)
    if origin is Annotated:
        limits = [limit for limit in arguments[1:] if isinstance(limit, AtLeast)]
        return _fits(value, arguments[0]) and (
            value is None or all(value >= limit.smallest for limit in limits)
        )
    if origin is Literal:
        return any(value == choice and type(value) is type(choice) for choice in arguments)
    if hint in (None, type(None)):
        return value is None
    if hint is bool:
        return isinstance(value, bool)
    if hint is int:
        return isinstance(value, Integral) and not isinstance(value, bool)
    if hint is float:
        return isinstance(value, Real) and not isinstance(value, bool)
    if hint in (str, Path):
        return isinstance(value, (str, Path))
    kind = origin or hint
    if kind in (list, tuple, Sequence):
        if not isinstance(value, Sequence) or isinstance(value, str):
            return False
        inner = [argument for argument in arguments if argument is not Ellipsis]
        return not inner or all(any(_fits(item, one) for one in inner) for item in value)
    if kind in (dict, Mapping):
        return isinstance(value, Mapping)
    if isinstance(kind, type) and kind not in (object, Callable):
        return isinstance(value, kind) or not isinstance(value, (str, Real))
    return True


def _words(hint: object) -> str | None:
    """What to give, in words; None for what a config cannot spell."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        limits = [limit.smallest for limit in arguments[1:] if isinstance(limit, AtLeast)]
        return (
            f'{_words(arguments[0])} of at least {max(limits):g}'
            if limits
            else _words(arguments[0])
        )
    if origin is Literal:
        return ' or '.join(map(repr, arguments))
    words: dict[Any, str] = {
        bool: 'True or False',
        int: 'a whole number',
        float: 'a number',
        str: 'a text',
        Path: 'a text',
        type(None): 'None',
    }
    kind = origin or hint
    if kind in (list, tuple, Sequence):
        return 'a list'
    if kind in (dict, Mapping):
        return 'a dict'
    return words.get(hint)
