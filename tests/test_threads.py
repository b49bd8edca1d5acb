"""How OpenMP's threads wait, which is set before torch is imported."""

import ast
import os
import subprocess
import sys

import pytest

from fmmp.threads import let_waiting_threads_sleep
from tests.tiny import ROOT

SETTINGS = ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'KMP_BLOCKTIME', 'KMP_LIBRARY')


@pytest.fixture
def nothing_set(monkeypatch):
    """No variable says how threads wait; afterwards all are as they were."""
    for name in SETTINGS:
        monkeypatch.setenv(name, '')
        monkeypatch.delenv(name)


def said():
    return {name: os.environ[name] for name in SETTINGS if name in os.environ}


@pytest.mark.parametrize('name', SETTINGS)
def test_the_users_way_of_waiting_is_kept(nothing_set, monkeypatch, name):
    monkeypatch.delitem(sys.modules, 'torch', raising=False)
    monkeypatch.setenv(name, 'active')
    let_waiting_threads_sleep()
    assert said() == {name: 'active'}


def test_nothing_is_set_for_child_processes_when_torch_has_been_imported(nothing_set, monkeypatch):
    monkeypatch.setitem(sys.modules, 'torch', object())
    let_waiting_threads_sleep()
    assert said() == {}


@pytest.mark.parametrize('path', sorted((ROOT / 'tools').rglob('*.py')), ids=lambda path: path.name)
def test_no_command_imports_torch_before_fmmp_can_say_how_threads_wait(path):
    imports = [
        name
        for node in ast.parse(path.read_text(encoding='utf-8')).body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [node.names[0].name])
    ]
    packages = [name.partition('.')[0] for name in imports]
    before = packages[: packages.index('fmmp')] if 'fmmp' in packages else packages
    assert not {'torch', 'torchvision', 'mmcv', 'mmpose', 'timm'} & {*before}


def test_threads_of_a_process_that_imports_fmmp_spin_briefly_while_they_wait():
    code = "import os, fmmp, sys; print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, '-c', code], env={}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ['3000', 'False']
