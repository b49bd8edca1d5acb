"""compute-sanitizer on small cases of the ops: bad accesses of memory, and races."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

TOOLS = {'memcheck': ['--report-api-errors', 'no'], 'racecheck': []}  # torch probes, and errs
FOUND = 77  # exit status of a tool that finds something


def rows(device: str, seconds: float) -> Iterator[dict]:
    """A row a tool."""
    program = shutil.which('compute-sanitizer') or shutil.which(
        '/usr/local/cuda/bin/compute-sanitizer'
    )
    command = [sys.executable, '-m', f'{__package__}.small_cases', device]
    if device == 'cpu' or program is None:
        done = subprocess.run(command)  # so that the cases at least are known to run
        reason = 'no card' if device == 'cpu' else 'compute-sanitizer is not installed'
        row = {'tool': 'none', 'note': f'not checked: {reason}'}
        yield {**row, 'failed': 'the cases fail'} if done.returncode else row
        return
    environment = {**os.environ, 'PYTORCH_NO_CUDA_MEMORY_CACHING': '1'}  # each tensor by itself
    for tool, options in TOOLS.items():
        options = ['--tool', tool, '--error-exitcode', str(FOUND), *options]
        run = [program, *options, *command]
        done = subprocess.run(run, env=environment, capture_output=True, text=True)
        lines = [line.strip('= ') for line in done.stdout.splitlines() if line.startswith('====')]
        row = {'tool': tool, 'note': lines[-1] if lines else ''}
        if done.returncode:
            print(done.stdout[-20000:], done.stderr[-20000:])
            row['failed'] = f'exit status {done.returncode}'
        yield row
