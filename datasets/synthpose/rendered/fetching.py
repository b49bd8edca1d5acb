"""Debian's packages of models and photographs, downloaded and unpacked without being installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from fmmp.errors import InputError

from .catalogue import Sources

MODELS = ('0ad-data', 'sweethome3d-furniture', 'flightgear-data-ai')
PHOTOGRAPHS = ('plasma-workspace-wallpapers', 'gnome-backgrounds', 'mate-backgrounds')


def fetch(folder: Path) -> tuple[Sources, list[str]]:
    """Downloads those packages that the folder lacks, by apt.

    Args:
        folder: each package is unpacked into a folder of its name in it.

    Returns:
        Where the models lie, and the folders of photographs.

    Raises:
        InputError: there is no apt, or a package cannot be had.
    """
    for package in (*MODELS, *PHOTOGRAPHS):
        if not (folder / package).exists():
            _unpack(package, folder)
    zero_ad, furniture, aircraft = (folder / package / 'usr/share' for package in MODELS)
    sources = Sources(
        str(zero_ad / 'games/0ad/mods/public/public.zip'),
        str(furniture / 'sweethome3d/furniture'),
        str(aircraft / 'games/flightgear/AI'),
    )
    return sources, [str(folder / package) for package in PHOTOGRAPHS]


def _unpack(package: str, folder: Path) -> None:
    """Downloads a package and unpacks it, whole or not at all."""
    if shutil.which('apt-get') is None or shutil.which('dpkg') is None:
        raise InputError(
            f"--fetch needs Debian's apt-get and dpkg, for {package}; elsewhere download it from "
            f'https://packages.debian.org/{package}, unpack it and name its files'
        )
    scratch = folder / f'.unfinished-{package}'
    shutil.rmtree(scratch, ignore_errors=True)
    (scratch / 'files').mkdir(parents=True)
    try:
        _run(['apt-get', 'download', package], scratch)
        archive = next(scratch.glob('*.deb'))
        _run(['dpkg', '-x', archive.name, 'files'], scratch)
        (scratch / 'files').replace(folder / package)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise InputError(
            f'{" ".join(command)} failed: {said[-1] if said else "no reason told"}; '
            'perhaps apt-get update helps, or another Debian release'
        )
