"""Training by a config, under MMCV's runner and hooks."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from pathlib import Path

import torch
import torch.distributed as dist
from mmcv import Config
from mmcv.runner import get_dist_info
from mmpose.utils import collect_env
from torch.utils.data import DataLoader

from fmmp.errors import InputError
from fmmp.files import atomic_path

from .distributed import Distributed
from .environment import versions
from .hooks import require_loggers
from .hooks.building import build_hooks
from .interruption import interruptible
from .loaders import build_episodes
from .model import (
    build_model,
    load_checked_weights,
    place_for_speed,
    require_fitting_data,
)
from .optimizer import build_optimizer, episodes_a_step, learning_rate
from .resuming import Saved, find_saved, require_same_training
from .run_log import LOGGER, log_to
from .runner import Runner
from .seeding import seed_everything, shared_seed
from .settings.checks import check_training
from .settings.saved import differences, settings_of
from .starter import is_trained
from .work_dir import own


def train(
    config: Config,
    device: str | torch.device = 'cpu',
    seed: int | None = None,
    deterministic: bool = False,
    validate: bool = True,
    auto_resume: bool = False,
    accept_changes: bool = False,
) -> None:
    """Train a config's model into its work directory.

    Bad settings and files raise before the first step and before anything is written. Writes
    checkpoints, ``latest.pth``, the best one by mPCK, the config, and logs as text and as JSON
    lines. A work directory holds one training alone.

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
        accept_changes: go on though the config's settings are not those of the training to resume.

    Raises:
        InputError: a file or a setting cannot be used, another training uses the work directory, or
            it holds another training's checkpoints, such as one with another seed.
        Interrupted: SIGINT or SIGTERM came; what was trained so far is saved.
    """
    check_training(config)
    if not is_trained(config):
        raise InputError(f'model.type is {config.model.type!r}: nothing to train: test it as it is')
    require_loggers(config.log_config)
    for subset in ('train', 'val') if validate else ('train',):
        if config.data.get(subset) is None:
            raise InputError(f'data.{subset} is missing')
    work_dir = Path(config.work_dir)
    resume_from = config.get('resume_from')
    if auto_resume and resume_from:
        raise InputError(f'auto_resume, or resume_from={resume_from}: choose one')
    with own(work_dir), ExitStack() as stack:
        saved = find_saved(work_dir, resume_from, auto_resume)
        if saved:
            seed = require_same_training(saved, config, seed, auto_resume, accept_changes)
        seed = shared_seed(seed)
        seed_everything(seed, deterministic)
        train_loader = stack.enter_context(closing(build_episodes(config, 'train', seed=seed)))
        val_loader = None
        if validate:
            val_loader = stack.enter_context(closing(build_episodes(config, 'val')))
        runner = _build_runner(config, device, seed, train_loader, val_loader, saved)
        # Whatever is wrong has been found, and nothing is written so far.
        log_to(work_dir / f'{runner.timestamp}.log', config.get('log_level', 'INFO'))
        LOGGER.info('seed %d, deterministic %s, device %s', seed, deterministic, device)
        _log_start(runner, config, train_loader, val_loader, saved)
        if get_dist_info()[0] == 0:
            name = Path(config.filename or 'config').with_suffix('.py').name
            with atomic_path(work_dir / name) as scratch:
                scratch.write_text(runner.meta['config'], encoding='utf-8')
        saved = None  # the model has its weights
        stack.enter_context(interruptible(runner))
        runner.run([train_loader], [('train', 1)])


def _build_runner(
    config: Config,
    device: str | torch.device,
    seed: int,
    train_loader: DataLoader,
    val_loader: DataLoader | None,
    saved: Saved | None,
) -> Runner:
    """Build model, optimiser and hooks, as they begin or as a checkpoint has them."""
    start_from = config.get('load_from')
    model = build_model(config, pretrained=not (saved or start_from))
    subsets = ('train', 'val') if val_loader else ('train',)
    require_fitting_data(model, config, subsets)
    if start_from and not saved:
        load_checked_weights(model, config, start_from)
    place_for_speed(model, config, device)
    if dist.is_available() and dist.is_initialized():
        ids = [torch.device(device).index] if torch.device(device).type == 'cuda' else None
        model = Distributed(
            model, ids, find_unused_parameters=config.get('find_unused_parameters', False)
        )
    runner = Runner(
        model,
        optimizer=build_optimizer(model, config, get_dist_info()[1]),
        work_dir=config.work_dir,
        logger=LOGGER,
        meta=dict(
            config=config.pretty_text,
            settings=settings_of(config),
            seed=seed,
            versions=versions(),
        ),
        max_epochs=config.total_epochs,
    )
    runner.timestamp = time.strftime('%Y%m%d_%H%M%S')
    for hook, priority in build_hooks(config, train_loader.dataset, val_loader, seed):
        runner.register_hook(hook, priority)
    if saved:
        there, parts = saved.content['meta'].get('settings'), ('optimizer', 'auto_scale_lr')
        changed = bool(differences(there, config, parts))
        runner.resume(saved.path, saved.content, new_settings=changed)
        if differences(there, config, ('data.val',)):  # scores on other data are no rivals
            runner.meta.get('hook_msgs', {}).pop('best_score', None)
    return runner


def _log_start(
    runner: Runner,
    config: Config,
    train_loader: DataLoader,
    val_loader: DataLoader | None,
    saved: Saved | None,
) -> None:
    """Log what the training runs with and where it starts."""
    LOGGER.info('Environment:\n%s', '\n'.join(f'{k}: {v}' for k, v in collect_env().items()))
    LOGGER.info('Config:\n%s', runner.meta['config'])
    processes = get_dist_info()[1]
    rate = learning_rate(config, processes)
    LOGGER.info(
        '%d episodes a step, learning rate %g',
        episodes_a_step(config, processes),
        rate * runner.kept_rate,
    )
    if runner.kept_rate != 1:
        LOGGER.warning('that rate is as it began; a new training would begin at %g', rate)
    for use, loader in (('training', train_loader), ('validation', val_loader)):
        if loader is not None and getattr(loader.dataset, 'left_out', None):
            left_out = loader.dataset.left_out
            LOGGER.warning('%s leaves out, with too few instances: %s', use, left_out)
    if saved:
        for line in saved.passed_over:
            LOGGER.warning('passed over: %s', line)
        LOGGER.info('resumed %s after epoch %d', saved.path, runner.epoch)
    elif config.get('load_from'):
        LOGGER.info('weights from %s', config.load_from)
