"""Gather what FMMP needs beside torch as wheels, and install what is missing from them.

    python -m benchmarks.gpu.wheels collect DIR [--torch 2.11]    for this Python, from the index
    python -m benchmarks.gpu.wheels install DIR ENVIRONMENT       make one over this Python's own

MMCV and xtcocotools are built here, since they have no wheel, or one for an older numpy (see
install.sh). The environment keeps the torch that is there, and touches nothing outside it.
"""

from __future__ import annotations

import argparse
import ast
import site
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ['setuptools>=64,<81', 'wheel', 'Cython', 'numpy']
BUILT = ['mmcv==1.7.0', 'mmpose==0.29.0', 'xtcocotools']
OF_TORCH = ('torch', 'torchvision', 'timm')  # they, or what they name, would bring torch
TESTS = ['pytest', 'hypothesis']


def needs() -> list[str]:
    """What setup.py names, without what belongs to torch."""
    tree = ast.parse((ROOT / 'setup.py').read_text(encoding='utf-8'))
    keywords = [
        word for node in ast.walk(tree) if isinstance(node, ast.Call) for word in node.keywords
    ]
    named = next(ast.literal_eval(k.value) for k in keywords if k.arg == 'install_requires')
    return [
        one.replace('opencv-python', 'opencv-python-headless')
        for one in named
        if not one.startswith(OF_TORCH)
    ]


def pip(python: str | Path, *arguments: str) -> None:
    """Run this Python's pip, or that of an environment."""
    command = [str(python), '-m', 'pip', '--disable-pip-version-check', *arguments]
    if subprocess.run(command).returncode:
        raise SystemExit('pip failed: its message is above')


def collect(folder: Path, torch: str) -> None:
    """Gather wheels for this Python and a version of torch."""
    folder.mkdir(parents=True, exist_ok=True)
    major, minor = torch.split('.')[:2]
    vision = f'torchvision==0.{int(minor) + 15}.*'  # of torch 2.x
    assert major == '2', torch
    alone = ['timm>=1.0.20', vision]
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([sys.executable, '-m', 'venv', scratch], check=True)
        python = f'{scratch}/bin/python'
        pip(python, 'install', '--quiet', *BUILD)
        to = ['--wheel-dir', str(folder)]
        built = [
            '--no-deps',
            '--no-build-isolation',
            '--no-cache-dir',
            '--no-binary',
            'xtcocotools',
        ]
        pip(python, 'wheel', *to, *built, *BUILT)
        pip(python, 'wheel', *to, '--no-deps', *alone)
        pip(python, 'wheel', *to, *needs(), *BUILD, *TESTS)
    size = sum(path.stat().st_size for path in folder.glob('*.whl')) / 1e6
    print(f'{folder}: {len([*folder.glob("*.whl")])} wheels, {size:.0f} MB')


def install(folder: Path, environment: Path) -> None:
    """Make an environment over this Python's packages with what is missing."""
    subprocess.run(
        [sys.executable, '-m', 'venv', '--clear', '--without-pip', environment], check=True
    )
    python = environment / 'bin/python'
    run = [python, '-c', 'import site; print(site.getsitepackages()[0])']
    packages = Path(subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip())
    (packages / 'outside.pth').write_text('\n'.join(site.getsitepackages()) + '\n')
    offline = ['install', '--quiet', '--no-index', '--find-links', str(folder)]
    pip(python, *offline, *needs(), *BUILD, *TESTS)
    pip(python, *offline, '--no-deps', *BUILT, 'timm>=1.0.20', 'torchvision')


def main() -> None:
    """Collect or install."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    commands = parser.add_subparsers(dest='command', required=True)
    gather = commands.add_parser('collect')
    gather.add_argument('folder', type=Path)
    gather.add_argument('--torch', default='2.11', help="the version on the card's machine [2.11]")
    put = commands.add_parser('install')
    put.add_argument('folder', type=Path)
    put.add_argument('environment', type=Path)
    arguments = parser.parse_args()
    if arguments.command == 'collect':
        collect(arguments.folder, arguments.torch)
    else:
        install(arguments.folder, arguments.environment)


if __name__ == '__main__':
    main()
