"""The code is linted and formatted as pyproject.toml says."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize('command', [['check'], ['format', '--check']], ids=' '.join)
def test_ruff_finds_nothing(command):
    root = Path(__file__).resolve().parent.parent
    result = subprocess.run(
        [sys.executable, '-m', 'ruff', *command, '.'], cwd=root, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
