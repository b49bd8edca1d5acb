"""Sweeps: configs x splits x shots x seeds, trained, tested and put into the paper's tables.

A sweep file is Python, as configs are:

    configs = {'base': 'configs/…py', '+ mixup padding': 'configs/…py'}  # rows of the tables
    splits = [1, 2, 3, 4, 5]     # MP-100's; left out: the configs' own categories
    shots = [1, 5]               # left out: the configs' own
    seeds = [0, 1, 2]            # left out: [0]
    cfg_options = {'data.samples_per_gpu': 8}  # for every run; {split} is its split
    train_arguments = ['--deterministic']      # of tools/train.py, for every run
    checkpoint = 'latest'        # or 'best', by mPCK on the validation categories
    metric = 'mPCK'              # of the tables
    floors = True                # rows of what needs no training; left out: none
    trained_by = {'base': 'SWEEP/ROW'}  # rows that are tested only, and whose checkpoints
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from fmmp.analysis.tables import format_table
from fmmp.apis.settings.reading import read_file
from fmmp.datasets.metrics import METRICS
from fmmp.errors import InputError
from fmmp.files import atomic_path, write_json

Execute = Callable[[list[str], Path], int]
"""Runs a command, appends its output to a file, and returns its exit status."""

MISSING = '–'
FLOORS = {'copying the support': 'copy_support', 'matching features': 'matching'}
"""Rows of what needs no training, and where results.json has their scores."""
SUBSETS = ('train', 'val', 'test')
RESULTS = 'results.json'


@dataclass(frozen=True)
class Run:
    """One training and its test.

    Attributes:
        row: its row in the tables.
        config: config file.
        split: MP-100's split, None for the config's own categories.
        shots: S, None for the config's own.
        seed: of the training.
        work_dir: where it goes.
        options: ``KEY=VALUE``, in place of the config's settings.
        train_arguments: further arguments of tools/train.py.
        checkpoint: ``latest`` or ``best``, to be tested.
        test_arguments: further arguments of tools/test.py.
        trained_in: another run's folder, whose checkpoint is tested; None: it trains its own.
    """

    row: str
    config: str
    split: int | None
    shots: int | None
    seed: int
    work_dir: Path
    options: tuple[str, ...]
    train_arguments: tuple[str, ...]
    checkpoint: str
    test_arguments: tuple[str, ...] = ()
    trained_in: Path | None = None

    @property
    def results(self) -> Path:
        """The file of the test's results; its existence means that the run is finished."""
        return self.work_dir / RESULTS

    def settings(self) -> dict:
        """What the results depend on."""
        return {
            'config': self.config,
            'seed': self.seed,
            'options': list(self.options),
            'train_arguments': list(self.train_arguments),
            'checkpoint': self.checkpoint,
            # as seen from here: a moved folder, or one named in another way, is the same
            'trained_in': self.trained_in and os.path.relpath(self.trained_in, self.work_dir),
        }

    def tested_checkpoint(self) -> Path:
        """The checkpoint to test.

        Raises:
            InputError: the best one is asked for and there is none, or another run is not finished.
        """
        folder = self.trained_in or self.work_dir
        if self.trained_in and not (folder / RESULTS).exists():  # its latest.pth may be any epoch's
            raise InputError(f'{folder} is not finished: run the sweep that trains it first')
        if self.checkpoint == 'latest':
            return folder / 'latest.pth'
        found = list(folder.glob('best_mPCK_epoch_*.pth'))
        if not found:
            raise InputError(f'{folder}: no best_mPCK_epoch_N.pth: was it validated?')
        return max(found, key=lambda path: int(path.stem.rsplit('_', 1)[1]))


@dataclass(frozen=True)
class Sweep:
    """All runs, and how the tables are laid out.

    Attributes:
        runs: in the order in which they are to be run.
        metric: of the tables.
        floors: whether they begin with the rows of ``FLOORS``.
    """

    runs: list[Run]
    metric: str
    floors: bool = False


@dataclass(frozen=True)
class Launcher:
    """How scripts are started.

    Attributes:
        tools: folder of the scripts.
        kind: ``none``, in a single process; ``pytorch``, by torchrun on this machine; ``slurm``.
        gpus: processes of a run, for the last two.
        partition: slurm's.
    """

    tools: Path
    kind: str = 'none'
    gpus: int = 1
    partition: str = ''

    def train(self, run: Run) -> list[str]:
        """The command that trains, or goes on with it."""
        work_dir = str(run.work_dir)
        if self.kind == 'none':
            start = [*self._python('train.py'), run.config, '--work-dir', work_dir]
        elif self.kind == 'pytorch':
            start = [*self._bash('dist_train.sh'), run.config, str(self.gpus)]
            start += ['--work-dir', work_dir]
        else:
            start = [*self._bash('slurm_train.sh'), self.partition, _job_name(run)]
            start += [run.config, work_dir]
        arguments = ['--seed', str(run.seed), '--auto-resume', *run.train_arguments]
        return [*start, *arguments, *_cfg_options(run)]

    def test(self, run: Run, checkpoint: Path) -> list[str]:
        """The command that tests a checkpoint."""
        if self.kind == 'none':
            start = [*self._python('test.py'), run.config, str(checkpoint)]
        elif self.kind == 'pytorch':
            start = [*self._bash('dist_test.sh'), run.config, str(checkpoint), str(self.gpus)]
        else:
            start = [*self._bash('slurm_test.sh'), self.partition, _job_name(run)]
            start += [run.config, str(checkpoint)]
        return [*start, '--out', str(run.results), *run.test_arguments, *_cfg_options(run)]

    def _python(self, script: str) -> list[str]:
        return [sys.executable, str(self.tools / script)]

    def _bash(self, script: str) -> list[str]:
        return ['bash', str(self.tools / script)]


def read_sweep(path: str | Path, root: str | Path, cfg_options: Sequence[str] = ()) -> Sweep:
    """Plan a sweep file's runs.

    Args:
        path: the sweep file.
        root: folder for the sweeps; a run goes to ``root/SWEEP/ROW/splitN_Sshot_seedK``.
        cfg_options: ``KEY=VALUE``, further settings for every run.

    Raises:
        InputError: a setting is unknown or cannot be used, or a config's categories are chosen by
            something else than a split.
        FileNotFoundError: a file is missing.
    """
    settings = read_file(path)._cfg_dict.to_dict()
    defaults = {
        'configs': {},
        'splits': [None],
        'shots': [None],
        'seeds': [0],
        'cfg_options': {},
        'train_arguments': [],
        'checkpoint': 'latest',
        'metric': 'mPCK',
        'floors': False,
        'trained_by': {},
    }
    unknown = settings.keys() - defaults.keys()
    if unknown:
        raise InputError(
            f'{path}: unknown settings {sorted(unknown)}: choose from {", ".join(defaults)}'
        )
    settings = {**defaults, **settings}
    configs = settings['configs']
    if not isinstance(configs, dict) or not configs:
        raise InputError(f"{path}: configs must be {{'row of the tables': 'config file', …}}")
    if settings['checkpoint'] not in ('latest', 'best'):
        raise InputError(f"{path}: checkpoint is {settings['checkpoint']!r}: 'latest' or 'best'")
    if settings['metric'] not in METRICS:
        raise InputError(
            f'{path}: unknown metric {settings["metric"]!r}: choose from {", ".join(METRICS)}'
        )
    for name in ('splits', 'shots', 'seeds'):
        if not isinstance(settings[name], (list, tuple)) or not settings[name]:
            raise InputError(f'{path}: {name} must be a list')
    trained_by = settings['trained_by']
    if (
        not isinstance(trained_by, dict)
        or not trained_by.keys() <= configs.keys()
        or not all(re.fullmatch(r'[^/]+/[^/]+', str(other)) for other in trained_by.values())
    ):
        raise InputError(f"{path}: trained_by must be {{'row of configs': 'SWEEP/ROW', …}}")
    own_options = [f'{key}={value}' for key, value in settings['cfg_options'].items()]
    for option in (*own_options, *cfg_options):
        if '{split}' in option and None in settings['splits']:
            raise InputError(f'{path}: {option}: there is no split: give the sweep splits')
    folders = {row: _folder(row) for row in configs}
    if len(set(folders.values())) < len(folders):
        raise InputError(f'{path}: the names of configs are too alike for folders: {[*configs]}')
    for config in configs.values():
        _check_config(config, splits=settings['splits'] != [None])

    # Seeds change last, so that a sweep that is cut short has as many of every row.
    runs, places = [], set()
    for seed, (row, config), shots, split in product(
        settings['seeds'], configs.items(), settings['shots'], settings['splits']
    ):
        place = (shots, split)  # whose pairs all rows and seeds share
        name = [f'seed{seed}']
        options = [*own_options]
        if shots is not None:
            name.insert(0, f'{shots}shot')
            options += [f'data.{subset}.num_shots={shots}' for subset in SUBSETS]
        if split is not None:
            name.insert(0, f'split{split}')
            options += [f'data.{subset}.valid_class_ids.split={split}' for subset in SUBSETS]
        trained_in = None
        if row in trained_by:
            other, _, trained_row = trained_by[row].partition('/')
            trained_in = Path(root, other, _folder(trained_row), '_'.join(name))
        runs.append(
            Run(
                row,
                config,
                split,
                shots,
                seed,
                Path(root, Path(path).stem, folders[row], '_'.join(name)),
                tuple(o.replace('{split}', str(split)) for o in (*options, *cfg_options)),
                tuple(settings['train_arguments']),
                settings['checkpoint'],
                ('--matching-floor',) if settings['floors'] and place not in places else (),
                trained_in,
            )
        )
        places.add(place)
    return Sweep(runs, settings['metric'], bool(settings['floors']))


def _folder(row: str) -> str:
    return re.sub(r'[^\w.-]+', '_', row).strip('_.-')


def _check_config(path: str, splits: bool) -> None:
    data = read_file(path).get('data') or {}
    if not data.get('test'):
        raise InputError(f'{path}: no config of a training: it needs data.test')
    for subset in SUBSETS if splits else ():
        selection = (data.get(subset) or {}).get('valid_class_ids')
        if not isinstance(selection, dict) or 'split' not in selection:
            raise InputError(
                f'{path}: data.{subset}.valid_class_ids is {selection}, which names no split: '
                'leave splits out of the sweep, or this config'
            )


def _cfg_options(run: Run) -> list[str]:
    return ['--cfg-options', *run.options] if run.options else []


def _job_name(run: Run) -> str:
    return f'{run.work_dir.parent.name}_{run.work_dir.name}'


def execute_command(command: list[str], log: Path, **environment: str) -> int:
    """Run a command; its output goes to the end of a file."""
    with log.open('a') as output:
        output.write(f'\n$ {" ".join(command)}\n')
        output.flush()
        done = subprocess.run(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
        )
    return done.returncode


def complete(
    run: Run, launcher: Launcher, execute: Execute, stop: Callable[[], bool] = lambda: False
) -> str | None:
    """Train, or go on training, unless another run has, and test; what is finished is left alone.

    Args:
        run: what to do.
        launcher: how.
        execute: runs a command.
        stop: whether to begin nothing more.

    Returns:
        None if the run is finished, else what has failed.
    """
    try:
        _check_settings(run)
        if _is_tested(run):
            return None
        log = run.work_dir / 'output.txt'
        if stop():
            return 'stopped'
        if run.trained_in is None:
            status = execute(launcher.train(run), log)
            if status:
                return f'training failed with status {status}, see {log}: {_last_line(log)}'
            if stop():
                return 'stopped'
        status = execute(launcher.test(run, run.tested_checkpoint()), log)
        if status or not run.results.exists():
            return f'testing failed with status {status}, see {log}: {_last_line(log)}'
    except (InputError, OSError) as error:
        return str(error)
    return None


def _is_tested(run: Run) -> bool:
    """Whether all results are there, with the floors, which a sweep may ask for later."""
    if not run.results.exists():
        return False
    if '--matching-floor' not in run.test_arguments:
        return True
    return 'matching' in json.loads(run.results.read_text())


def _check_settings(run: Run) -> None:
    """Make sure that what the run's folder holds was made with the same settings."""
    run.work_dir.mkdir(parents=True, exist_ok=True)
    path = run.work_dir / 'sweep.json'
    if path.exists():
        before, now = json.loads(path.read_text()), run.settings()
        changed = [name for name in now if before.get(name) != now[name]]
        if changed:
            name = changed[0]
            raise InputError(
                f'{run.work_dir}: begun with other settings: {name} was {before.get(name)} and is '
                f'{now[name]}: choose another --work-dir, or remove this one'
            )
    else:
        write_json(run.settings(), path)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors='replace').split('\n') if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), 'no output')


def complete_all(
    runs: Sequence[Run], launcher: Launcher, jobs: int, execute: Execute, report: Callable
) -> dict[Run, str]:
    """Complete runs, some at once; one that fails stops no other.

    An interrupt (Ctrl-C) begins nothing more, waits for what is running, which the interrupt has
    reached too, and is raised again.

    Args:
        runs: what to do.
        launcher: how.
        jobs: runs at once.
        execute: runs a command.
        report: called with a run and its failure, or None, when it ends.

    Returns:
        What has failed, by run.
    """
    stopping = threading.Event()

    def one(run: Run) -> str | None:
        failure = complete(run, launcher, execute, stopping.is_set)
        report(run, failure)
        return failure

    with ThreadPoolExecutor(jobs) as pool:
        futures = {run: pool.submit(one, run) for run in runs}
        try:
            failures = {run: future.result() for run, future in futures.items()}
        except BaseException:
            stopping.set()
            pool.shutdown(cancel_futures=True)
            raise
    return {run: failure for run, failure in failures.items() if failure}


def tables(sweep: Sweep, style: str) -> str:
    """The paper's tables of what is finished, one for each number of shots.

    Rows are configs, columns splits and their mean. With several seeds a cell is the mean and the
    standard deviation (n - 1) over them; the mean column takes each seed's mean over the splits
    first. A cell that lacks a seed, and a mean that lacks a split, stay empty.

    Args:
        sweep: the runs.
        style: ``markdown`` or ``latex``.
    """
    scores = {run: _score(run, sweep.metric) for run in sweep.runs}
    rows, shots, splits, seeds = (
        list(dict.fromkeys(getattr(run, name) for run in sweep.runs))
        for name in ('row', 'shots', 'split', 'seed')
    )
    by_place = {(run.row, run.shots, run.split, run.seed): scores[run] for run in sweep.runs}
    factor, digits = {'EPE': (1, 2), 'NME': (1, 4)}.get(sweep.metric, (100, 2))

    def cell(values: np.ndarray) -> str:
        if np.isnan(values).any():
            return MISSING
        mean, *deviation = [values.mean(), *([values.std(ddof=1)] if len(values) > 1 else [])]
        return ' ± '.join(f'{factor * value:.{digits}f}' for value in (mean, *deviation))

    texts = []
    for count in shots:
        header = ['', *(sweep.metric if split is None else f'split {split}' for split in splits)]
        scores_of = {  # of each row, seeds x splits
            row: np.array([[_floor_score(sweep, key, count, split) for split in splits]])
            for row, key in (FLOORS.items() if sweep.floors else ())
        }
        for row in rows:
            scores_of[row] = np.array([[by_place[row, count, p, s] for p in splits] for s in seeds])
        body = []
        for row, values in scores_of.items():
            cells = [cell(column) for column in values.T]
            body.append([row, *cells, *([cell(values.mean(1))] if len(splits) > 1 else [])])
        header += ['mean'] * (len(splits) > 1)
        what = sweep.metric + (f', {count} shot{"s" * (count > 1)}' if count else '')
        if len(seeds) > 1:
            what += f', mean ± standard deviation of {len(seeds)} seeds'
        if style == 'latex':
            texts.append(f'% {what}\n' + format_table(header, body, style))
        else:
            texts.append(f'{what}:\n\n' + format_table(header, body, style))
    return '\n\n'.join(texts) + '\n'


def _score(run: Run, metric: str) -> float:
    """A finished run's score, NaN for another."""
    if not run.results.exists():
        return float('nan')
    return json.loads(run.results.read_text())['metrics'][metric]


def _floor_score(sweep: Sweep, key: str, shots: int | None, split: int | None) -> float:
    """A floor's score, which does not depend on the training; NaN where no result has it."""
    for run in sweep.runs:
        if (run.shots, run.split) == (shots, split) and run.results.exists():
            report = json.loads(run.results.read_text())
            if key in report:
                return report[key][sweep.metric]
    return float('nan')


def write_tables(sweep: Sweep, folder: Path) -> list[Path]:
    """Write ``tables.md`` and ``tables.tex``; returns their paths."""
    paths = []
    for name, style in (('tables.md', 'markdown'), ('tables.tex', 'latex')):
        with atomic_path(folder / name) as scratch:
            scratch.write_text(tables(sweep, style))
        paths.append(folder / name)
    return paths


def executor(launcher: Launcher) -> Execute:
    """What runs a launcher's commands, with the environment that its scripts read."""
    if launcher.kind == 'none':
        return execute_command
    return partial(execute_command, PYTHON=sys.executable, GPUS=str(launcher.gpus))
