"""The settings that are FMMP's own, by the part of a config that holds them.

What these do not spell out is read off signatures: of the model and its parts, the data sets and
their transforms, the optimiser, the hooks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..precision import PRECISIONS
from .values import NotNegative, Positive


@dataclass
class Settings:
    """The top level of a config."""

    model: dict
    data: dict
    optimizer: dict
    lr_config: dict | None
    total_epochs: Positive
    log_config: dict
    checkpoint_config: dict
    evaluation: dict
    optimizer_config: dict | None = None
    auto_scale_lr: dict | None = None
    non_finite_loss: dict | None = None
    custom_hooks: list | None = None
    custom_imports: dict | None = None
    find_unused_parameters: bool = False
    precision: Literal[tuple(PRECISIONS)] = 'float32'
    channels_last: bool = False
    load_from: str | None = None
    resume_from: str | None = None
    work_dir: str | None = None
    log_level: Literal['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] = 'INFO'
    workflow: list | None = None


ELSEWHERE = {
    'seed': 'give it as --seed',
    'deterministic': 'give it as --deterministic',
    'gpu_ids': 'give one as --gpu-id',
    'gpus': 'start with tools/dist_train.sh',
    'fp16': "set precision='float16'",
    'runner': 'set total_epochs',
    'max_epochs': 'set total_epochs',
    'momentum_config': 'put a momentum hook into custom_hooks',
}
"""OpenMMLab's settings that FMMP does not read, and what to do instead."""

WAYS_OUT = {
    **ELSEWHERE,
    'data_root': 'set ann_file and img_prefix of data.train, data.val, data.test',
}


@dataclass
class Loader:
    """What the loaders take of ``data`` and of, say, ``data.val_dataloader``, beside torch's."""

    samples_per_gpu: Positive = 1
    workers_per_gpu: NotNegative = 0


NOT_OF_A_LOADER = (
    'dataset',
    'batch_size',
    'shuffle',
    'sampler',
    'batch_sampler',
    'num_workers',
    'worker_init_fn',
)
"""What torch's loader takes and ``build_loader`` gives."""


@dataclass
class Data:
    """``data``, beside what all its loaders take; the first two hold for all subsets."""

    num_shots: Positive | None = None
    data_cfg: dict | None = None
    train: dict | None = None
    val: dict | None = None
    test: dict | None = None
    train_dataloader: dict | None = None
    val_dataloader: dict | None = None
    test_dataloader: dict | None = None


@dataclass
class AutoScaleLr:
    """``auto_scale_lr``."""

    enable: bool = False
    base_batch_size: Positive | None = None


@dataclass
class LogConfig:
    """``log_config``."""

    interval: Positive
    hooks: list


@dataclass
class Optimizer:
    """``optimizer``, beside what the class takes that it names."""

    lr: float
    constructor: str | None = None
    paramwise_cfg: dict | None = None


@dataclass
class Paramwise:
    """``optimizer.paramwise_cfg``, as MMCV's ``DefaultOptimizerConstructor`` reads it."""

    custom_keys: dict | None = None
    bias_lr_mult: float = 1.0
    bias_decay_mult: float = 1.0
    norm_decay_mult: float = 1.0
    dwconv_decay_mult: float = 1.0
    dcn_offset_lr_mult: float = 1.0
    bypass_duplicate: bool = False


@dataclass
class CustomKey:
    """A value in ``optimizer.paramwise_cfg.custom_keys``."""

    lr_mult: float = 1.0
    decay_mult: float = 1.0


@dataclass
class Evaluation:
    """``evaluation``, of MMPose's ``EvalHook``."""

    interval: Positive = 1
    start: NotNegative | None = None
    save_best: str | None = None
    rule: Literal['greater', 'less'] | None = None
    by_epoch: Literal[True] = True


@dataclass
class Priority:
    """``custom_hooks``, beside what the class takes that each names."""

    priority: int | str = 'NORMAL'


SCHEDULE = 'LrUpdaterHook'


def schedule_hook(policy: str) -> str:
    """The class of MMCV's hook that ``lr_config.policy`` stands for."""
    return (policy.title() if policy.islower() else policy) + SCHEDULE
