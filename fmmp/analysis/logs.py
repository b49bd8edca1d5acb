"""Reading the JSON-lines logs of trainings, resumed ones included."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fmmp.errors import InputError


@dataclass(frozen=True)
class RunLog:
    """What a training has logged.

    Attributes:
        name: how figures call it.
        source: work directory or log file.
        records: as logged, each with ``mode`` (``train`` or ``val``), ``epoch`` and numbers by key.
    """

    name: str
    source: Path
    records: list[dict]

    def keys(self) -> list[str]:
        """All that can be plotted, in the order in which it first comes."""
        position = {'mode', 'epoch', 'iter', 'step'}
        found = dict.fromkeys(
            key
            for record in self.records
            for key, value in record.items()
            if key not in position and isinstance(value, (int, float))
        )
        return list(found)

    def curve(self, key: str) -> tuple[np.ndarray, np.ndarray]:
        """A key's mean over each epoch's records.

        Training and validation may log the same key, such as the learning rate; training's count.

        Returns:
            The epochs (E,) and the means (E,); NaN where no number was logged.

        Raises:
            InputError: the log does not have the key; the message lists those that it has.
        """
        records = [record for record in self.records if key in record]
        if not records:
            raise InputError(
                f'{self.source}: no {key!r} in its log: choose from {", ".join(self.keys())}'
            )
        mode = 'train' if any(record['mode'] == 'train' for record in records) else 'val'
        by_epoch = {}
        for record in records:
            if record['mode'] == mode:
                by_epoch.setdefault(record['epoch'], []).append(record[key])
        epochs = np.array(sorted(by_epoch))
        return epochs, np.array([np.mean(by_epoch[epoch]) for epoch in epochs])


def read_run(path: str | Path, name: str | None = None) -> RunLog:
    """Read a work directory's logs, or a log file.

    A training that was resumed has a log file for each start, named by its time. Each replaces what
    those before it have logged of its first epoch and of later ones: training resumes at an epoch's
    start, so what was cut short is done again.

    Args:
        path: work directory, or a ``.log.json`` file.
        name: how figures call the run; by default its work directory's name.

    Raises:
        InputError: there is no log, it holds no numbers, or is damaged elsewhere than at its end.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(path.glob('*.log.json'))
        if not files:
            raise InputError(
                f'{path}: no log (*.log.json): name a work directory of tools/train.py'
            )
    elif path.is_file():
        files = [path]
    else:
        raise InputError(f'{path}: no such work directory or log file')
    records = []
    for file in files:
        later = _read_records(file)
        if later:
            first = later[0]['epoch']
            records = [record for record in records if record['epoch'] < first] + later
    if not records:
        raise InputError(f'{path}: nothing has been logged yet')
    folder = path if path.is_dir() else path.parent
    return RunLog(name or folder.resolve().name, path, records)


def _read_records(file: Path) -> list[dict]:
    """A file's records of training and validation; a last line that was cut short is left out."""
    lines = file.read_text().splitlines()
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except ValueError as error:
            if number == len(lines):
                break
            raise InputError(f'{file}, line {number}: is damaged: {error}') from error
        if isinstance(record, dict) and record.get('mode') in ('train', 'val'):
            records.append(record)
    return records
