"""Training by a config, under MMCV's runner and hooks."""

from __future__ import annotations

import copy
import logging
import os
import random
import time
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from mmcv import Config
from mmcv.runner import DistSamplerSeedHook, get_dist_info
from mmcv.utils import get_logger
from mmcv.utils.logging import logger_initialized
from mmpose.models import build_posenet
from mmpose.utils import collect_env

from fmmp.checkpoints import load_training, load_weights
from fmmp.datasets.episode_dataset import EpisodeDataset
from fmmp.errors import InputError
from fmmp.files import atomic_path
from fmmp.models.backbones.pretrained import fetch_weights
from fmmp.processes import in_first_process

from .data import build_dataset
from .distributed import Distributed
from .environment import versions
from .hooks import LogHook, NonFiniteLossHook, require_loggers
from .interruption import interruptible
from .loaders import build_loader, loader_settings
from .model import place_for_speed, require_fitting_data
from .optimizer import build_optimizer
from .runner import Runner, SeedEpochHook, ValidationHook
from .test import predict
from .work_dir import newest_readable, own, require_own_checkpoints


def train(
    config: Config,
    device: str | torch.device = 'cpu',
    seed: int | None = None,
    deterministic: bool = False,
    validate: bool = True,
    auto_resume: bool = False,
) -> None:
    """Train a config's model into its work directory.

    Bad settings and files raise before the first step. Writes checkpoints, ``latest.pth``, the best
    one by mPCK, the config, and logs as text and as JSON lines. A work directory holds one training
    alone.

    Args:
        config: the config, with ``work_dir`` set; ``resume_from`` goes on from a checkpoint of a
            training, ``load_from`` starts from a checkpoint's weights.
        device: where to run.
        seed: of the weights, the episodes and dropout; if not given, that of the training to
            resume, else drawn and logged.
        deterministic: ask torch for deterministic algorithms.
        validate: evaluate ``data.val`` every ``evaluation.interval`` epochs.
        auto_resume: go on from the work directory's newest readable checkpoint; start if it has
            none.

    Raises:
        InputError: a file or a setting cannot be used, another training uses the work directory, or
            it holds another training's checkpoints, such as one with another seed.
        Interrupted: SIGINT or SIGTERM came; what was trained so far is saved.
    """
    config = copy.deepcopy(config)  # the runner takes settings out of it
    require_loggers(config.log_config)
    if not config.checkpoint_config.get('by_epoch', True):
        raise InputError('checkpoint_config.by_epoch=False: trainings go on from whole epochs')
    work_dir = Path(config.work_dir)
    resume_from = config.get('resume_from')
    if auto_resume and resume_from:
        raise InputError(f'auto_resume, or resume_from={resume_from}: choose one')
    with own(work_dir):
        if not auto_resume:
            in_first_process(lambda: require_own_checkpoints(work_dir, resume_from))
        _train(config, device, seed, deterministic, validate, auto_resume)


def _train(
    config: Config,
    device: str | torch.device,
    seed: int | None,
    deterministic: bool,
    validate: bool,
    auto_resume: bool,
) -> None:
    work_dir = Path(config.work_dir)
    start = time.strftime('%Y%m%d_%H%M%S')
    logger = _run_logger(work_dir / f'{start}.log', config.get('log_level', 'INFO'))
    resume_from = config.get('resume_from')
    if auto_resume:
        resume_from = in_first_process(lambda: newest_readable(work_dir, logger))
    if resume_from:
        saved_seed = load_training(resume_from)['meta'].get('seed', seed)
        if auto_resume and seed not in (None, saved_seed):
            raise InputError(
                f'{work_dir} holds a training with seed {saved_seed}, not {seed}: leave out --seed '
                'to go on with it, or name another folder with --work-dir'
            )
        seed = saved_seed if seed is None else seed
    seed = _shared_seed(seed)
    _seed_everything(seed, deterministic)
    logger.info('Environment:\n%s', '\n'.join(f'{k}: {v}' for k, v in collect_env().items()))
    logger.info('Config:\n%s', config.pretty_text)
    logger.info('seed %d, deterministic %s, device %s', seed, deterministic, device)
    if get_dist_info()[0] == 0:
        with atomic_path(work_dir / Path(config.filename or 'config.py').name) as scratch:
            config.dump(str(scratch))

    train_set = build_dataset(config, 'train', seed=seed)
    train_loader = build_loader(train_set, **loader_settings(config.data, 'train'))
    _log_left_out(logger, 'training', train_set)
    val_loader = None
    if validate:
        val_set = build_dataset(config, 'val')
        val_loader = build_loader(val_set, **loader_settings(config.data, 'val'))
        _log_left_out(logger, 'validation', val_set)

    settings = config.model.copy()
    if resume_from or config.get('load_from'):
        settings.pretrained = None  # its weights would be replaced at once
    else:
        fetch_weights(settings.backbone)
    model = build_posenet(settings)
    require_fitting_data(model, config, ('train', 'val') if validate else ('train',))
    if config.get('load_from') and not resume_from:
        load_weights(model, config.load_from)
        logger.info('weights from %s', config.load_from)
    place_for_speed(model, config, device)
    if dist.is_available() and dist.is_initialized():
        ids = [torch.device(device).index] if torch.device(device).type == 'cuda' else None
        model = Distributed(
            model, ids, find_unused_parameters=config.get('find_unused_parameters', False)
        )

    runner = Runner(
        model,
        optimizer=build_optimizer(model, config, get_dist_info()[1], logger),
        work_dir=str(work_dir),
        logger=logger,
        meta=dict(config=config.pretty_text, seed=seed, versions=versions()),
        max_epochs=config.total_epochs,
    )
    runner.timestamp = start
    runner.register_training_hooks(
        config.lr_config,
        {'type': 'OptimizerStepHook', **(config.get('optimizer_config') or {})},
        config.checkpoint_config,
        config.log_config,
        custom_hooks_config=config.get('custom_hooks'),
    )
    runner.register_hook(DistSamplerSeedHook())
    runner.register_hook(SeedEpochHook(seed))
    # Before the optimiser's step.
    non_finite_loss = NonFiniteLossHook(train_set, **config.get('non_finite_loss', {}))
    runner.register_hook(non_finite_loss, priority='HIGH')
    runner.register_hook(LogHook(config.log_config.interval), priority='LOW')
    if val_loader is not None:
        # Before checkpoints are saved, so that they know of the best score so far.
        hook = ValidationHook(val_loader, test_fn=predict, **config.evaluation)
        runner.register_hook(hook, priority='ABOVE_NORMAL')
    if resume_from:
        runner.resume(resume_from)
    with ExitStack() as stack:
        for loader in filter(None, (train_loader, val_loader)):
            stack.enter_context(closing(loader))
        stack.enter_context(interruptible(runner))
        runner.run([train_loader], config.get('workflow', [('train', 1)]))


def _log_left_out(logger: logging.Logger, use: str, dataset: EpisodeDataset) -> None:
    if dataset.left_out:
        logger.warning('%s leaves out, with too few instances: %s', use, dataset.left_out)


def _run_logger(log_file: Path, level: str) -> logging.Logger:
    """The logger, writing to this run's file and no longer to that of one before."""
    logger = logging.getLogger('fmmp')
    for handler in [*logger.handlers]:
        logger.removeHandler(handler)
        handler.close()
    logger_initialized.pop(logger.name, None)
    logger = get_logger(logger.name, str(log_file), level)
    for handler in logger.handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handleError = _raise  # a full disk is an error, not a traceback a line
    return logger


def _raise(_: logging.LogRecord) -> None:
    """Let the error that is being handled pass."""
    raise


def _shared_seed(seed: int | None) -> int:
    """The given seed, or one drawn by the first process for all."""
    drawn = [random.randrange(2**31) if seed is None else seed]
    if dist.is_available() and dist.is_initialized():
        dist.broadcast_object_list(drawn, src=0)
    return drawn[0]


def _seed_everything(seed: int, deterministic: bool) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 (MMPose draws from it)
    torch.manual_seed(seed)
    if deterministic:
        torch.backends.cudnn.benchmark = False
        os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
        torch.use_deterministic_algorithms(True, warn_only=True)
