"""The steps, and running one of them.

    python -m benchmarks.gpu.steps NAME --device cuda --seconds 60 --rows FILE

A step is a module of this folder whose ``rows(device, seconds)`` yields what it finds, a dict a row
of its table. A row with ``failed`` says what is wrong. On the CPU everything is tiny. The rows so
far are written after each, so that nothing is lost if the step is stopped.
"""

from __future__ import annotations

import argparse
import json
import math
import runpy
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Step:
    """A step.

    Attributes:
        name: its module.
        title: what it answers.
        weight: its share of the time that is left when it begins.
    """

    name: str
    title: str
    weight: float


STEPS = (  # what is worth most comes first
    Step('machine', 'The machine', 4),
    Step('build', 'The compiled ops', 24),
    Step('parity', 'The ops against the plain reference', 10),
    Step('golden', 'The recorded numbers of the whole model', 8),
    Step('op_speed', 'The op, plain and fused', 8),
    Step('model_speed', 'Training and testing', 12),
    Step('synthpose', 'SynthPose, trained and tested', 16),
    Step('large', 'More than 2³¹ elements', 5),
    Step('sanitizer', 'compute-sanitizer', 8),
    Step('compiled', 'torch.compile', 14),
    Step('cards', 'Several cards', 8),
    Step('suite', "The ops' tests", 8),
)


def run(name: str, device: str, seconds: float, path: Path) -> list[dict]:
    """Run a step in this process; its rows, which are also in the file."""
    atomic_path = runpy.run_path(str(ROOT / 'fmmp/files.py'))['atomic_path']
    found = []
    for row in import_module(f'{__package__}.{name}').rows(device, seconds):
        found.append({name: strict(value) for name, value in row.items()})
        with atomic_path(path) as scratch:
            scratch.write_text(json.dumps(found), encoding='utf-8')
    return found


def strict(value: object) -> object:
    """A value as JSON has it: of infinity the name, and nothing of what is no number."""
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return None if math.isnan(value) else str(value)


def main() -> None:
    """Run the step."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('name', choices=[step.name for step in STEPS])
    parser.add_argument('--device', choices=['cuda', 'cpu'], required=True)
    parser.add_argument('--seconds', type=float, required=True)
    parser.add_argument('--rows', type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.name not in ('machine', 'build'):  # before torch: it sets how threads wait
        import fmmp  # noqa: F401
    run(arguments.name, arguments.device, arguments.seconds, arguments.rows)


if __name__ == '__main__':
    main()
