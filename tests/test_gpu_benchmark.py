"""What benchmarks/gpu.sh runs, tried without a card."""

import json
import os
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest
from fmmp.models.ops import library

from benchmarks.gpu import model_speed, wheels
from benchmarks.gpu.run import run_steps
from benchmarks.gpu.steps import STEPS, Step, run
from benchmarks.gpu.variants import COMPILED, EAGER
from tests.tiny import ROOT

ROWS = 'import pathlib, sys; pathlib.Path(sys.argv[1]).write_text({!r}); '
TRIED = {
    'passes': ROWS.format('[{"what": "one", "ms": 1234.5}]'),
    'fails': 'raise SystemExit("no such thing")',
    'finds something': ROWS.format('[{"what": "two", "failed": "off by one"}]'),
    'hangs': ROWS.format('[{"what": "three"}]')
    + 'import subprocess, time; print(subprocess.Popen(["sleep", "60"]).pid, flush=True); '
    + 'time.sleep(60)',
    'comes last': ROWS.format('[{"what": "four"}]'),
}


def is_running(process):
    """Whether a process runs; one that has ended may wait for its parent to take note."""
    try:
        stat = Path(f'/proc/{process}/stat').read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(')')[2].split()[0] != 'Z'


def test_a_step_that_fails_or_hangs_is_told_and_stops_no_other(tmp_path):
    steps = [Step(name, f'What {name}', 0.2 if name == 'hangs' else 1) for name in TRIED]

    def command(step, device, seconds, rows):
        return [sys.executable, '-c', TRIED[step.name], str(rows)]

    result = run_steps(steps, 24, 'cpu', tmp_path, command)
    outcomes = {step['name']: step['status'] for step in result['steps']}
    assert outcomes == {
        'passes': 'passed',
        'fails': 'failed',
        'finds something': 'failed',
        'hangs': 'out of time',
        'comes last': 'passed',
    }
    assert json.loads((tmp_path / 'result.json').read_text()) == result
    page = (tmp_path / 'page.md').read_text()
    for text in ('## What fails: failed', 'no such thing', 'off by one', '| three |', '| 1234 |'):
        assert text in page
    hung = next(step for step in result['steps'] if step['name'] == 'hangs')
    child = int(hung['output'])
    for _ in range(500):  # the system may take a moment
        if not is_running(child):
            break
        time.sleep(0.02)
    assert not is_running(child)


def test_steps_for_which_no_time_is_left_are_told(tmp_path):
    result = run_steps([Step('one', 'One', 1)], 0.5, 'cpu', tmp_path)
    assert [step['status'] for step in result['steps']] == ['not run']
    assert '| One | not run |' in (tmp_path / 'page.md').read_text()


@pytest.mark.skipif('cpu' not in library.DEVICES, reason=library.REASON)
@pytest.mark.parametrize('name', ['large', 'model_speed', 'small_cases'])
def test_a_step_runs_without_a_card(monkeypatch, tmp_path, name):
    if name == 'small_cases':
        monkeypatch.setattr(sys, 'argv', ['small_cases', 'cpu'])
        import_module(f'benchmarks.gpu.{name}')
        return
    rows = run(name, 'cpu', 1, tmp_path / 'rows.json')
    assert rows == json.loads((tmp_path / 'rows.json').read_text())
    assert len(rows) > 1 and not any({'failed', 'note'} & row.keys() for row in rows)


def test_rows_are_strict_json_whatever_was_measured(monkeypatch, tmp_path):
    found = {'ratio': float('nan'), 'worst': float('inf'), 'ms': 1.5}
    monkeypatch.setattr(model_speed, 'rows', lambda *_: iter([found]))
    run('model_speed', 'cpu', 1, tmp_path / 'rows.json')
    rows = json.loads((tmp_path / 'rows.json').read_text(), parse_constant=pytest.fail)
    assert rows == [{'ratio': None, 'worst': 'inf', 'ms': 1.5}]


@pytest.mark.parametrize(
    ('variant', 'told'), [(EAGER[0], 'failed'), (EAGER[-1], 'note'), (COMPILED[0], 'note')]
)
def test_a_plain_way_to_run_that_breaks_fails_and_one_that_is_not_to_be_had_is_noted(
    monkeypatch, variant, told
):
    def breaks(*_):
        raise RuntimeError('no kernel image')

    monkeypatch.setattr(model_speed, 'training_step', breaks)
    monkeypatch.setattr(model_speed, 'test_run', breaks)
    for row in model_speed.measure([variant], 'cpu', 1):
        assert 'no kernel image' in row[told]
        assert told == 'failed' or 'failed' not in row


def test_every_step_is_a_module_with_rows():
    for step in STEPS:
        assert callable(import_module(f'benchmarks.gpu.{step.name}').rows)


def test_the_script_names_the_steps_and_refuses_others():
    def script(*arguments):
        command = ['bash', 'benchmarks/gpu.sh', *arguments]
        environment = {**os.environ, 'PYTHON': sys.executable}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    assert '--wheels DIR' in script('--help').stdout
    refused = script('--steps', 'parity', 'nothing')
    assert refused.returncode == 2 and "'nothing'" in refused.stderr


def test_the_wheels_bring_no_torch_and_all_else_that_is_needed():
    named = wheels.needs()
    assert not any(one.startswith('torch') for one in named)
    assert {'numpy>=1.24', 'opencv-python-headless', 'scipy'} <= set(named)
