"""Any model of timm as a backbone."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmpose.models.builder import BACKBONES
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from fmmp.errors import InputError

from .efficientnet_lite import PACKAGED, is_packaged, timm_names
from .pretrained import load_initial_weights

STRIDES = (8, 16, 32)


@BACKBONES.register_module()
class TimmBackbone(nn.Module):
    """A model of timm without its classifier: three maps, fine to coarse.

    A model of several stages gives its maps at strides 8, 16 and 32. A plain vision transformer of
    patches of p pixels, such as DINOv2, has tokens at stride p alone: its last ones, normalised,
    are resampled to strides p / 2, p and 2 p.

    Images come as the data pipeline normalises them, by ImageNet's mean and standard deviation, and
    are normalised here as the weights ask.

    Args:
        model: timm's name, such as ``convnext_tiny.fb_in1k``.
        weights: where a frozen backbone's weights come from, such as ``package:efficientnet_lite0``
            (see `fmmp.models.backbones.sources.find_weights`). They are loaded whenever
            the model is built, so that checkpoints need not hold them, and never downloaded then.
            A backbone that learns starts from the detector's ``pretrained`` instead.
        frozen: compute no gradients, and stay in evaluation mode whatever `train` is told.
        norm_eval: let batch norm keep its running means while the rest trains.
        last_norm: normalise the last map as the classifier would have it [True for plain vision
            transformers].
        out_indices: which of the three maps to give; what only the others need is not computed.
        mean: what the weights want images normalised with, in units of [0, 1] [what timm says; the
            packages' have values of their own].
        std: likewise.
        options: more for timm's ``create_model``, such as ``drop_path_rate=0.1``.

    Attributes:
        out_channels: of the maps.
        strides: of the maps, in pixels.
        size_divisor: images' sides must be multiples of it.
        input_mean: what the data pipeline must normalise images with, whatever the weights:
            ImageNet's.
        input_std: likewise.

    Raises:
        InputError: timm has no such model, or it gives no maps at these strides.
    """

    input_mean = (0.485, 0.456, 0.406)
    input_std = (0.229, 0.224, 0.225)

    def __init__(
        self,
        model: str,
        weights: str | None = None,
        frozen: bool = False,
        norm_eval: bool = False,
        last_norm: bool | None = None,
        out_indices: Sequence[int] = (0, 1, 2),
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        **options: object,
    ) -> None:
        super().__init__()
        if weights and not frozen:
            raise InputError(
                f'model.backbone.weights={weights!r} are kept, so set model.backbone.frozen=True; '
                f'a backbone that learns starts from model.pretrained={weights!r}'
            )
        ascending = [index for index in range(len(STRIDES)) if index in out_indices]
        if not ascending or list(out_indices) != ascending:
            raise InputError(
                f'model.backbone.out_indices={tuple(out_indices)}: choose from the maps 0, 1 and '
                '2, in this order, fine to coarse'
            )
        self.name, self.weights, self.frozen, self.norm_eval = model, weights, frozen, norm_eval
        self.model = create(model, options)
        config = self.model.pretrained_cfg
        if weights and weights.startswith('package:'):
            config = PACKAGED
        mean, std = mean or config['mean'], std or config['std']
        scale = [s / t for s, t in zip(self.input_std, std, strict=True)]
        shift = [(m - n) / t for m, n, t in zip(self.input_mean, mean, std, strict=True)]
        self.register_buffer('scale', torch.tensor(scale).view(3, 1, 1), persistent=False)
        self.register_buffer('shift', torch.tensor(shift).view(3, 1, 1), persistent=False)

        info = getattr(self.model.feature_info, 'info', self.model.feature_info)
        reductions = [level['reduction'] for level in info]
        self.plain = len(set(reductions)) == 1  # a vision transformer: all its blocks at one stride
        if self.plain:
            indices = [len(info) - 1]
            self.size_divisor = reductions[0]
            strides = tuple(self.size_divisor * factor for factor in (1 / 2, 1, 2))
        elif set(STRIDES) <= set(reductions):
            deepest = {stride: index for index, stride in enumerate(reductions)}
            indices = [deepest[STRIDES[index]] for index in out_indices]
            self.size_divisor, strides = STRIDES[-1], STRIDES
        else:
            raise InputError(
                f'model.backbone.model={model!r} gives maps at strides {sorted(set(reductions))}: '
                f'choose a model with {", ".join(map(str, STRIDES))}, or a plain vision transformer'
            )
        self.last_norm = self.plain if last_norm is None else last_norm
        channels = [info[index]['num_chs'] for index in indices]
        self.out_channels = tuple(channels * len(out_indices) if self.plain else channels)
        self.out_indices = tuple(out_indices)
        self.strides = tuple(strides[index] for index in out_indices)
        efficientnet = is_efficientnet(self.model)
        self.blocks_by_stage = [len(stage) for stage in self.model.blocks] if efficientnet else []
        names = set(self.model.state_dict())
        self.indices = self.model.prune_intermediate_layers(indices, prune_norm=not self.last_norm)
        if hasattr(self.model, 'head'):  # of ConvNeXt, timm before 1.0.31 leaves a norm
            self.model.head = nn.Identity()
        self.unused = names - set(self.model.state_dict())  # the classifier, mostly
        if frozen:
            self.requires_grad_(False)
        self.train()

    def init_weights(self) -> None:
        """Load the weights that the config names, if any; else timm's random ones stay."""
        load_initial_weights(self)

    def own_names(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Rename weights as they are named here, and leave out what is not used here.

        Args:
            state: with timm's names, with those of a source that timm knows, of the packages of
                EfficientNet-Lite, or with the names here.
        """
        if any(name.startswith('model.') for name in state):
            return state
        if any('rpe_mlp' in name for name in state):
            state = of_simmim(state)
        if is_packaged(state):
            state = timm_names(state, self.blocks_by_stage)
        convert = getattr(sys.modules[type(self.model).__module__], 'checkpoint_filter_fn', None)
        if convert is not None:
            state = convert(state, self.model)
        return {f'model.{n}': value for n, value in state.items() if n not in self.unused}

    def train(self, mode: bool = True) -> TimmBackbone:
        """Set the mode of what is not frozen."""
        super().train(mode and not self.frozen)
        for module in self.modules() if self.norm_eval else ():
            if isinstance(module, _BatchNorm):
                module.eval()
        return self

    def forward(self, imgs: Tensor) -> tuple[Tensor, ...]:
        """Compute the maps (B, C_l, H / stride, W / stride), fine to coarse, of images.

        Raises:
            InputError: a side is not a multiple of ``size_divisor``, or timm made the model for
                another size.
        """
        self._check_size(imgs)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            try:
                maps = self.model.forward_intermediates(
                    imgs * self.scale + self.shift,
                    indices=self.indices,
                    norm=self.last_norm,
                    intermediates_only=True,
                )
            except AssertionError as error:  # how timm refuses a size
                raise InputError(
                    f'{self.name} takes no images of {max(imgs.shape[-2:])} pixels ({error}): '
                    'set model.backbone.img_size to data.data_cfg.image_size'
                ) from error
            if self.plain:
                maps = pyramid(*maps)
                return tuple(maps[index] for index in self.out_indices)
            return tuple(maps)

    def _check_size(self, imgs: Tensor) -> None:
        side, divisor = max(imgs.shape[-2:]), self.size_divisor
        if any(length % divisor for length in imgs.shape[-2:]):
            near = max(1, round(side / divisor)) * divisor
            raise InputError(
                f'data.data_cfg.image_size={side}: {self.name} takes multiples of '
                f'{divisor} pixels, such as {near}'
            )


def is_efficientnet(model: nn.Module) -> bool:
    """Whether it is one of timm's EfficientNets."""
    from timm.models.efficientnet import EfficientNet  # an extra

    return isinstance(model, EfficientNet)


def of_simmim(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The official Swin Transformer V2 inside SimMIM's pretraining, as its names are elsewhere."""
    prefix = 'encoder.'
    parts = {n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)} or state
    return {n.replace('rpe_mlp', 'cpb_mlp'): v for n, v in parts.items() if n != 'mask_token'}


def create(name: str, options: dict[str, object]) -> nn.Module:
    """timm's model with random weights, for images of any size where it can be.

    Raises:
        InputError: there is no timm, no such model, or it takes no such options.
    """
    try:
        import timm
    except ImportError as error:
        raise InputError(
            'TimmBackbone: install timm: pip install timm, or bash install.sh'
        ) from error
    if ':' in name or not timm.is_model(name):  # with ':' timm would ask the hub
        close = difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0)
        raise InputError(
            f'model.backbone.model={name!r}: timm {timm.__version__} has no such model; near are '
            f'{", ".join(close)}'
        )
    for any_size in ({'strict_img_size': False}, {'dynamic_img_size': True}, {}):
        try:
            return timm.create_model(name, **{**any_size, **options})
        except TypeError as error:  # an unknown option
            reason = error
        except RuntimeError as error:  # an unknown tag: what is behind the name's point
            raise InputError(f'model.backbone.model={name!r}: {error}') from error
    raise InputError(f'model.backbone: {name} takes other options than {sorted(options)}: {reason}')


def pyramid(tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A map (B, C, H, W) at twice, once and half its resolution."""
    height, width = tokens.shape[-2:]
    fine = F.interpolate(tokens, scale_factor=2, mode='bilinear', align_corners=False)
    coarse = F.adaptive_avg_pool2d(tokens, ((height + 1) // 2, (width + 1) // 2))
    return fine, tokens, coarse
