"""What a training ran with, for its checkpoints and its log."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import mmcv
import mmpose
import torch

import fmmp


def versions() -> dict[str, str]:
    """Versions of what computes, and the clone's revision, as plain strings."""
    return {
        'fmmp': fmmp.__version__,
        'git': git_revision(Path(fmmp.__file__).resolve().parents[1]),
        'python': platform.python_version(),
        'torch': str(torch.__version__),
        'mmcv': mmcv.__version__,
        'mmpose': mmpose.__version__,
        'platform': platform.platform(),
    }


def git_revision(root: Path) -> str:
    """The commit of a clone, with ``-dirty`` if its files differ; ``none`` if it is no clone."""
    if not (root / '.git').exists():  # installed, perhaps inside a clone of something else
        return 'none'
    command = ['git', '-C', str(root), 'describe', '--always', '--dirty', '--abbrev=40']
    try:
        run = subprocess.run(
            [*command, '--exclude=*'], capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):  # no git, or no access to the clone
        return 'none'
    return run.stdout.strip()
