"""What configs give as ``data_cfg``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property

from fmmp.errors import InputError

from .padding import PADDINGS, Padding

LINKS = ('given', 'random')


@dataclass(frozen=True)
class DataSettings:
    """How the images of an episode are prepared.

    Attributes:
        padding: name of a padding, ``mixup`` (unless given, for training), ``uniform`` (for
            testing), ``zero`` or another registered one; or ``dict(type=NAME, …)`` with its
            arguments.
        image_size: side of the crops, in pixels.
        num_keypoints: K, to which every category is padded.
        num_references: structural references of a keypoint, of which the model uses the first M;
            0 for none.
        links: which links the structural references follow, ``given``, those of the category, or
            ``random``, the same after its keypoints have changed places (`shuffled_keypoints`);
            padded keypoints lie on the given ones.
        num_links: rows of an episode's skeleton, at least as many as any category has links; 0 for
            methods that do not read it.
        mixup_alpha: α of λ ~ Beta(α, α) in mixup padding.
    """

    padding: str | Mapping = 'uniform'
    image_size: int = 256
    num_keypoints: int = 70
    num_references: int = 16
    links: str = 'given'
    num_links: int = 0
    mixup_alpha: float = 1.0

    @classmethod
    def of(cls, data_cfg: Mapping | None, **defaults: object) -> DataSettings:
        """Read a config's ``data_cfg``.

        Raises:
            InputError: a setting is unknown or cannot be used.
        """
        given = {**defaults, **(data_cfg or {})}
        known = [field.name for field in fields(cls)]
        unknown = sorted(given.keys() - set(known))
        if unknown:
            raise InputError(
                f'data_cfg has unknown settings {unknown}: choose from {", ".join(known)}'
            )
        return cls(**given)

    def __post_init__(self) -> None:
        at_least = {'image_size': 1, 'num_keypoints': 1, 'num_references': 0, 'num_links': 0}
        for name, least in at_least.items():
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise InputError(
                    f'data_cfg.{name} is {value!r}: give a whole number of at least {least}'
                )
        if self.links not in LINKS:
            raise InputError(f'data_cfg.links is {self.links!r}: choose from {", ".join(LINKS)}')
        if self.mixup_alpha <= 0:
            raise InputError('data_cfg.mixup_alpha must be above 0')
        self.padding_method  # noqa: B018 (raises if there is no such)

    @cached_property
    def padding_method(self) -> Padding:
        """The padding that the settings name.

        Raises:
            InputError: there is no such, or it does not take such arguments.
        """
        options = {} if isinstance(self.padding, str) else dict(self.padding)
        name = options.pop('type', self.padding)
        if name not in PADDINGS:
            raise InputError(f'data_cfg.padding is {name!r}: choose from {", ".join(PADDINGS)}')
        if name == 'mixup':
            options = {'alpha': self.mixup_alpha, **options}
        try:
            return PADDINGS[name](**options)
        except TypeError as error:
            raise InputError(f'data_cfg.padding={name!r}: {error}') from None
