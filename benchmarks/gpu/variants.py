"""FMMP with ResNet-50 in the ways that it can run, ready to be timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from fmmp.models.backbones.building import backbone_maps
from mmcv import Config
from torch import nn

from fmmp.analysis.parts import random_episodes
from fmmp.apis import init_model
from fmmp.apis.model import place
from tests.tiny import CONFIG, tiny_config


@dataclass(frozen=True)
class Variant:
    """A way to run.

    Attributes:
        name: what the page calls it.
        precision: of autocast.
        tf32: whether matrix products and convolutions in float32 may round their inputs.
        channels_last: the images' layout.
        graph: capture it once as a CUDA graph and replay that.
        compiled: by torch.compile.
    """

    name: str
    precision: str = 'float32'
    tf32: bool = False
    channels_last: bool = False
    graph: bool = False
    compiled: bool = False


EAGER = (
    Variant('float32'),
    Variant('TF32', tf32=True),
    Variant('TF32, channels last', tf32=True, channels_last=True),
    Variant('bfloat16', 'bfloat16', tf32=True),
    Variant('bfloat16, channels last', 'bfloat16', tf32=True, channels_last=True),
    Variant('bfloat16, channels last, CUDA graph', 'bfloat16', True, True, graph=True),
)
COMPILED = (
    Variant('bfloat16, channels last, compiled', 'bfloat16', True, True, compiled=True),
    Variant('TF32, compiled', tf32=True, compiled=True),
)


def config_for(device: str) -> Config:
    """The config of MP-100; on the CPU a tiny one."""
    if device == 'cpu':
        return tiny_config(Path('data'))
    config = Config.fromfile(str(CONFIG))
    config.model.pretrained = None
    return config


def model_of(variant: Variant, config: Config, device: str) -> nn.Module:
    """The model with random weights, in evaluation mode."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = variant.tf32
    torch.backends.cudnn.benchmark = True
    settings = dict(precision=variant.precision, channels_last=variant.channels_last)
    return place(init_model(config), settings, device)


def compiled(variant: Variant, function: Callable, device: str) -> Callable:
    """The function, compiled if the variant says so; on the CPU without a compiler's minutes."""
    if not variant.compiled:
        return function
    return torch.compile(
        function, dynamic=False, backend='inductor' if device == 'cuda' else 'aot_eager'
    )


def training_step(
    variant: Variant, config: Config, batch: int, device: str
) -> tuple[Callable[[], None], Callable[[], None]]:
    """A step of training, with Adam; and the same of the backbone alone, without Adam."""
    model = model_of(variant, config, device).train()
    episode = random_episodes(config, 'train', batch, device=device)
    optimizer = torch.optim.Adam(model.parameters(), **{'fused': True} if device == 'cuda' else {})
    losses = compiled(variant, model.losses_by_kind, device)

    def gradients() -> None:
        with model.in_precision():
            loss = sum(one.sum() for one in losses(episode).values())
        loss.backward()

    if variant.graph:
        gradients = captured(gradients, model, lambda: optimizer.zero_grad(set_to_none=False))

    def step() -> None:
        optimizer.zero_grad(set_to_none=not variant.graph)
        gradients()
        optimizer.step()

    images = episode.imgs.flatten(0, 1)
    backbone = compiled(variant, lambda: backbone_maps(model.backbone, images), device)

    def backbone_alone() -> None:
        model.zero_grad(set_to_none=not variant.graph)
        with model.in_precision():
            total = sum(one.float().sum() for one in backbone())
        total.backward()

    return step, backbone_alone


def test_run(
    variant: Variant, config: Config, queries: int, device: str
) -> tuple[Callable[[], None], Callable[[], None]]:
    """Prediction of an episode of so many queries; and the backbone alone on the same images."""
    model = model_of(variant, config, device)
    episode = random_episodes(config, 'test', 1, queries, device=device)
    predict = compiled(variant, model.predict, device)
    images = episode.imgs.flatten(0, 1)
    backbone = compiled(variant, lambda: backbone_maps(model.backbone, images), device)

    def run() -> None:
        with torch.no_grad(), model.in_precision():
            predict(episode)

    def backbone_alone() -> None:
        with torch.no_grad(), model.in_precision():
            backbone()

    if variant.graph:
        run, backbone_alone = captured(run, model), captured(backbone_alone, model)
    return run, backbone_alone


def captured(
    run: Callable[[], None], model: nn.Module, before: Callable[[], None] = lambda: None
) -> Callable[[], None]:
    """A CUDA graph of a run, to be replayed; autocast keeps no copies of weights across it."""
    keep = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                run()
                before()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            run()
    finally:
        torch.set_autocast_cache_enabled(keep)
    return graph.replay
