"""Settings against the signatures of what takes them."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import SimpleNamespace

from mmcv.utils import Registry

from fmmp.errors import InputError, did_you_mean

from .values import problem_with

REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True)
class Signature:
    """What a class or a function takes by name.

    Attributes:
        hints: each parameter's annotation, ``object`` where there is none.
        defaults: each parameter's default, ``REQUIRED`` where there is none.
        is_open: whether it takes any other name as well.
    """

    hints: dict[str, object]
    defaults: dict[str, object]
    is_open: bool


def signature_of(*targets: Callable) -> Signature:
    """Read signatures; a class's ``**kwargs`` stand for what its parents' constructors take.

    Args:
        targets: classes and functions, which share the settings.
    """
    hints, defaults, is_open = {}, {}, False
    for target in targets:
        is_class, functions, takes_more = inspect.isclass(target), [target], False
        if is_class:
            functions = [c.__init__ for c in target.__mro__[:-1] if '__init__' in vars(c)]
        for function in functions:
            known = _hints(function)
            parameters = [*inspect.signature(function).parameters.values()][is_class:]
            for parameter in parameters:
                if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                    hints.setdefault(parameter.name, known.get(parameter.name, object))
                    defaults.setdefault(parameter.name, parameter.default)
            takes_more = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
            if not takes_more:
                break
        is_open = is_open or takes_more
    return Signature(hints, defaults, is_open)


def _hints(function: Callable) -> dict[str, object]:
    """The annotations that can be read; some name what type checkers alone import."""
    hints, annotations = {}, {}
    with suppress(NameError, AttributeError):
        annotations = function.__annotations__
    for name, annotation in annotations.items():
        one = SimpleNamespace(__annotations__={name: annotation})
        with suppress(NameError, TypeError, AttributeError, SyntaxError):
            hints |= typing.get_type_hints(one, function.__globals__, include_extras=True)
    return hints


def check_arguments(
    path: str,
    settings: object,
    *targets: Callable,
    given: Collection[str] = (),
    complete: bool = True,
) -> None:
    """Make sure that classes or functions take these settings.

    Args:
        path: the settings' name in the config, such as ``model.backbone``; empty for the config.
        settings: values by name; ``type``, if there is one, has been looked at.
        targets: what is to take them.
        given: names of parameters that are not the config's to give.
        complete: whether all others that have no default must be there.

    Raises:
        InputError: a setting is unknown, missing, or of another type or range.
    """
    if not isinstance(settings, Mapping):
        raise InputError(f'{path} is {settings!r}: give a dict')
    signature = signature_of(*targets)
    known = [name for name in signature.hints if name not in given]
    prefix = f'{path}.' if path else ''
    for name, value in settings.items():
        if name == 'type':
            continue
        if name in known:
            problem = problem_with(value, signature.hints[name])
            # Some parameters default to what their annotation does not name, such as None.
            if problem and value is not signature.defaults[name]:
                raise InputError(f'{prefix}{name} {problem}')
        elif not signature.is_open:
            raise InputError(f'{prefix}{name}: no such setting; {did_you_mean(name, known)}')
    for name in known if complete else ():
        if signature.defaults[name] is REQUIRED and settings.get(name, REQUIRED) is REQUIRED:
            raise InputError(f'{prefix}{name} is missing')


def registered(path: str, name: object, registry: Registry, of: type = object) -> Callable:
    """Find what a ``type`` names.

    Args:
        path: the setting's name.
        name: its value; a class or a function stands for itself.
        registry: where to look, and in its parents.
        of: what the class must be.

    Raises:
        InputError: there is no such class.
    """

    def suits(found: object) -> bool:
        return callable(found) and (
            of is object or (inspect.isclass(found) and issubclass(found, of))
        )

    found = registry.get(name) if isinstance(name, str) else name
    if suits(found):
        return found
    names = []
    while registry is not None:
        names += [name for name, one in registry.module_dict.items() if suits(one)]
        registry = registry.parent
    raise InputError(
        f'{path} is {name!r}: no such {"class" if of is object else of.__name__}; '
        f'{did_you_mean(str(name), names)} (custom_imports finds classes of your own)'
    )


def check_registered(
    path: str,
    settings: object,
    registry: Registry,
    *targets: Callable,
    given: Collection[str] = (),
    complete: bool = True,
    of: type = object,
) -> None:
    """`check_arguments` of the class that the settings' ``type`` names.

    Args:
        path, settings, given, complete: as of `check_arguments`.
        registry, of: as of `registered`.
        targets: what takes some of the settings beside the class.
    """
    if not isinstance(settings, Mapping) or 'type' not in settings:
        raise InputError(f'{path} is {settings!r}: give a dict with a type')
    target = registered(f'{path}.type', settings['type'], registry, of)
    check_arguments(path, settings, target, *targets, given=given, complete=complete)
