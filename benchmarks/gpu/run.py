"""Run the steps that prove and measure FMMP on a card (see benchmarks/gpu.sh).

Each step is a process of its own with a limit of its own: what fails or takes too long is told and
stops no other. The minutes are shared out by the steps' weights, and what a step leaves over goes
to those that follow. ``result.json`` and ``page.md`` are whole after every step.

Needs nothing but Python, so that it can tell what is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .page import format_page
from .steps import STEPS, Step

ROOT = Path(__file__).resolve().parents[2]
TAIL = 3000  # characters of a failed step's output that are kept
atomic_path = runpy.run_path(str(ROOT / 'fmmp/files.py'))['atomic_path']  # fmmp is yet to be built


def write(result: dict, folder: Path) -> None:
    """Write the result and its page."""
    for name, text in (
        ('result.json', json.dumps(result, indent=1)),
        ('page.md', format_page(result)),
    ):
        with atomic_path(folder / name) as scratch:
            scratch.write_text(text, encoding='utf-8')


def command_of(step: Step, device: str, seconds: float, rows: Path) -> list[str]:
    """What runs a step."""
    limit = ['--device', device, '--seconds', f'{seconds:.0f}', '--rows', str(rows)]
    return [sys.executable, '-m', f'{__package__}.steps', step.name, *limit]


def run_step(command: Sequence[str], seconds: float, rows: Path, log: Path) -> dict:
    """Run a step's process for so many seconds at most.

    Returns:
        ``status`` (passed, failed, out of time), ``seconds``, the ``rows`` it wrote, and of one
        that did not pass the end of its ``output``.
    """
    rows.unlink(missing_ok=True)
    start = time.monotonic()
    with open(log, 'w', encoding='utf-8') as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT, start_new_session=True
        )
        try:
            status = 'failed' if process.wait(seconds) else 'passed'
        except subprocess.TimeoutExpired:
            status = 'out of time'
        finally:
            end(process)
    found = json.loads(rows.read_text(encoding='utf-8')) if rows.exists() else []
    if status == 'passed' and any('failed' in row for row in found):
        status = 'failed'
    result = {'status': status, 'seconds': round(time.monotonic() - start, 1), 'rows': found}
    if status != 'passed':
        result['output'] = log.read_text(encoding='utf-8', errors='replace')[-TAIL:]
    return result


def end(process: subprocess.Popen) -> None:
    """End a step and the processes that it started; torchrun ends its own when it is told to."""
    for number, grace in ((signal.SIGTERM, 5), (signal.SIGKILL, None)):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.wait(grace)
            except subprocess.TimeoutExpired:
                continue
    try:
        os.killpg(process.pid, signal.SIGKILL)  # what it has left behind
    except ProcessLookupError:
        pass


def run_steps(
    steps: Sequence[Step],
    seconds: float,
    device: str,
    folder: Path,
    command: Callable[[Step, str, float, Path], list[str]] = command_of,
) -> dict:
    """Run steps within so many seconds; the result as ``result.json`` has it."""
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + seconds
    result = {
        'started': time.strftime('%Y-%m-%d %H:%M'),
        'device': device,
        'machine': {},
        'steps': [
            {'name': one.name, 'title': one.title, 'status': 'not run', 'rows': []} for one in steps
        ],
    }
    write(result, folder)
    for number, (step, entry) in enumerate(zip(steps, result['steps'], strict=True)):
        left = deadline - time.monotonic()
        if left < 1:
            break
        limit = left * step.weight / sum(one.weight for one in steps[number:])
        print(f'{step.title} (at most {limit:.0f} s): ', end='', flush=True)
        rows, log = folder / f'{step.name}.rows.json', folder / f'{step.name}.log'
        entry.update(
            limit=round(limit), **run_step(command(step, device, limit, rows), limit, rows, log)
        )
        if step.name == 'machine' and entry['rows']:
            result['machine'] = entry['rows'][0]
        print(f'{entry["status"]}, {entry["seconds"]:.0f} s', flush=True)
        write(result, folder)
    return result


def main() -> None:
    """Run the steps; the exit status is 1 unless all passed."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--minutes', type=float, default=9, help='for all steps [9]')
    parser.add_argument('--device', choices=['cuda', 'cpu'], default='cuda', help='[cuda]')
    names = [step.name for step in STEPS]
    parser.add_argument('--steps', nargs='+', choices=names, metavar='NAME', help=', '.join(names))
    parser.add_argument('--out', type=Path, default=ROOT / 'work_dirs/gpu', help='[work_dirs/gpu]')
    parser.add_argument('--spent', type=float, default=0, help=argparse.SUPPRESS)  # by gpu.sh
    arguments = parser.parse_args()
    wanted = [step for step in STEPS if step.name in (arguments.steps or names)]
    seconds = 60 * arguments.minutes - arguments.spent
    result = run_steps(wanted, seconds, arguments.device, arguments.out)
    print(arguments.out / 'page.md')
    sys.exit(any(step['status'] != 'passed' for step in result['steps']))


if __name__ == '__main__':
    main()
