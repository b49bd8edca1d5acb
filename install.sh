#!/usr/bin/env bash
# Installs FMMP in the active virtual or conda environment, else in .venv, runs its tests and a demo.
# What is there and fits is kept: a second run asks pip for nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
unset PYTHONDONTWRITEBYTECODE  # pip compiles nothing here, see `install`, and every start would again

usage='usage: bash install.sh [setup] [--full]     install FMMP; --full: with mmcv-full (torch 2.0)
       bash install.sh test [PYTEST-ARGS]   install what is missing, then run the tests
       bash install.sh demo                 install what is missing, then train and test on SynthPose,
                                            and find keypoints on photographs
PYTHON=/path/to/python chooses the Python of a new .venv.'

say() { printf 'install.sh: %s\n' "$*"; }
die() { say "$*" >&2; exit 1; }

# Prints the first Python that is recent enough; those that the stack is tested with come first.
find_python() {
    local candidate candidates=(python3.11 python3.10 python3 python3.12 python3.13)
    [ -z "${PYTHON:-}" ] || candidates=("$PYTHON")
    for candidate in "${candidates[@]}"; do
        if recent "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    die "none of ${candidates[*]} is Python 3.10 or newer: install Python 3.11, or name one with PYTHON=/path/to/python"
}

recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

# Sets `python` to that of the active environment, or of .venv, which it makes.
enter_environment() {
    local base active=${VIRTUAL_ENV:-}
    if [ -z "$active" ] && [ "${CONDA_DEFAULT_ENV:-base}" != base ]; then
        active=${CONDA_PREFIX:-}
    fi
    python=${active:-.venv}/bin/python
    if [ -z "$active" ] && ! "$python" -c '' 2>/dev/null; then
        base=$(find_python)
        say "making .venv with $("$base" --version)"
        "$base" -m venv --clear .venv ||
            die "$base cannot make a virtual environment: install its venv module (Debian, Ubuntu: apt install python3-venv)"
    fi
    recent "$python" ||
        die "$python is not Python 3.10 or newer: activate another environment, or none to have .venv made"
    "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip >/dev/null ||
        die "$python has no pip: install it there"
    say "using $("$python" --version) of ${active:-.venv}"
    "$python" -c 'import sys; sys.exit(sys.version_info >= (3, 12))' ||
        say 'note: MMCV 1.x is tested with Python 3.10 and 3.11 only'
}

# Whether the environment meets every requirement given.
met() {
    "$python" -I - "$@" <<'PY'
import sys
from importlib.metadata import PackageNotFoundError, version

from pip._vendor.packaging.requirements import Requirement


def met(requirement):
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        return False


sys.exit(not all(met(Requirement(text)) for text in sys.argv[1:]))
PY
}

version() { "$python" -I -c "from importlib.metadata import version; print(version('$1'))" 2>/dev/null; }

# install WHAT "REQUIREMENT …" [PIP-OPTION …]: by pip, unless they are met. Without compiling all modules,
# which takes most of pip's time: Python compiles those that are imported.
install() {
    local what=$1 requirements=$2
    shift 2
    # shellcheck disable=SC2086  # requirements are words
    if ! met $requirements; then
        say "installing $what"
        "$python" -m pip install --quiet --disable-pip-version-check --no-compile "$@" $requirements ||
            die "pip could not install $what (its message is above): see to its cause, then run this again to go on"
    fi
}

# Sets `torch`, `numpy` and `build`, the requirements that depend on the torch that is there.
choose_versions() {
    torch='torch==2.14.1 torchvision==0.29.1' numpy=numpy build='setuptools>=64,<81 wheel Cython'
    met torch || return 0
    torch="torch==$(version torch) torchvision"
    met 'torch>=2.0' ||
        die "torch $(version torch) is installed, FMMP needs 2.0 or newer: upgrade it, or deactivate this environment to have .venv made"
    if met 'torch<2.3'; then  # built for numpy 1; torch 2.0 imports what setuptools 70 lost
        numpy='numpy<2' build='setuptools>=64,<70 wheel Cython'
    fi
}

# Finds out what would fail before anything is downloaded.
check() {
    local name
    for name in mmcv mmcv-full; do
        ! met "$name" || met "$name>=1.3.8,<=1.7.0" ||
            die "$name $(version $name) is installed, MMPose 0.29 needs 1.3.8 to 1.7.0: pip uninstall $name, or deactivate this environment to have .venv made"
    done
    if [ -n "$full" ]; then
        met 'torch<2.1' ||
            die 'mmcv-full builds with torch 2.0 only: use the environment of cape_environment.yml, or leave out --full (FMMP needs none of its ops)'
    fi
    if [ -n "$full" ] || ! met xtcocotools; then
        command -v "${CXX:-c++}" >/dev/null ||
            die 'no C++ compiler found: install one (Debian, Ubuntu: apt install g++)'
        "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
            die "the C headers of $("$python" --version) are missing: install them (Debian, Ubuntu: apt install python3-dev)"
    fi
}

# Whether this clone is installed editable, as its setup.py and its C++ sources stand, compiled for the
# torch and the Python that are there, unless there is no compiler.
project_installed() {
    "$python" -I - <<'PY'
import json
import os
import runpy
import shutil
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

try:
    project = distribution('fmmp')
except PackageNotFoundError:
    sys.exit(1)
origin = json.loads(project.read_text('direct_url.json') or '{}')
installed = Path(project.locate_file(f'fmmp-{project.version}.dist-info/METADATA'))
ops = Path('models/ops')
sources = [Path('setup.py'), ops / 'build.py', *(ops / 'csrc').iterdir()]
build = runpy.run_path(str(ops / 'build.py'))
# What torch calls itself, such as 2.14.1+cu130: its metadata may lack what follows the plus.
torch = runpy.run_path(str(distribution('torch').locate_file('torch/version.py')))['__version__']
library = build['library_name'](torch) + sysconfig.get_config_var('EXT_SUFFIX')
compiles = os.environ.get('FMMP_OPS') != '0' and shutil.which(os.environ.get('CXX', 'c++'))
sys.exit(
    origin.get('url') != Path.cwd().as_uri()
    or not origin.get('dir_info', {}).get('editable')
    or installed.stat().st_mtime < max(path.stat().st_mtime for path in sources)
    or bool(compiles and not (ops / library).exists())
)
PY
}

install_project() {
    project_installed && return
    say 'installing FMMP, editable, and compiling its ops: up to three minutes on two cores'
    "$python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ||
        die 'pip could not install FMMP (its message is above)'
}

# Prints what setup.py names, tests included. OpenCV: none where some build of it is there already,
# and the build without windows where the machine lacks what they need. The extra `formats` is left
# to who needs it: it takes as much as all others together.
project_needs() {
    "$python" -I - <<'PY'
import ctypes
from importlib.metadata import metadata

from pip._vendor.packaging.requirements import Requirement

project = metadata('fmmp')
extras = {*project.get_all('Provides-Extra')} - {'formats'}
needs = set()
for asked in map(Requirement, project.get_all('Requires-Dist')):
    if not asked.marker or any(asked.marker.evaluate({'extra': extra}) for extra in extras):
        needs.add(f'{asked.name}{asked.specifier}')
try:
    import cv2
except ImportError:
    try:
        ctypes.CDLL('libGL.so.1')
    except OSError:
        needs = (needs - {'opencv-python'}) | {'opencv-python-headless'}
else:
    needs -= {'opencv-python'}
print(*sorted(needs))
PY
}

install_mmcv() {
    if [ -n "$full" ] && ! met mmcv-full; then
        say 'building mmcv-full: a quarter of an hour on two cores'
        ! met mmcv || "$python" -m pip uninstall --quiet --yes mmcv  # they share a folder
        # pip's cache may hold one that was built for another torch
        MMCV_WITH_OPS=1 install mmcv-full mmcv-full==1.7.0 --no-deps --no-build-isolation --no-cache-dir
    fi
    met mmcv-full || met mmcv || install MMCV mmcv==1.7.0 --no-deps --no-build-isolation
}

setup() {
    local reason
    enter_environment
    check
    choose_versions
    install 'PyTorch (up to 3 GB) and build tools' "$torch $numpy $build"
    install_project
    install 'what FMMP needs' "$(project_needs) $numpy"
    install_mmcv
    # MMPose names chumpy, which no longer builds and nothing here imports; xtcocotools' wheel is
    # for numpy 1, so it is built for the numpy that is there, and never taken from pip's cache.
    install 'MMPose and xtcocotools' 'mmpose==0.29.0 xtcocotools' \
        --no-deps --no-build-isolation --no-binary xtcocotools --no-cache-dir
    reason=$("$python" -c 'import cv2, torchvision, fmmp._requirements as r; r.require_openmmlab()' 2>&1) ||
        die "what is installed does not import (${reason##*$'\n'}): remove .venv, or deactivate this environment, and run this again"
    say "the ops: $("$python" -m fmmp.models.ops | paste -sd ';' | sed 's/;/; /g')"
    say "ready: torch $(version torch), $(met mmcv-full && echo mmcv-full || echo mmcv) $(version mmcv-full || version mmcv), mmpose $(version mmpose)"
}

# Trains on a small procedural data set for minutes and tests on categories that it has not seen;
# then photographs, by the starter.
# What an earlier run has finished is not done again.
demo() {
    local config=configs/demo/synthpose_quick.py work=work_dirs/synthpose_quick
    say 'drawing SynthPose'
    "$python" tools/dataset/make_synthetic.py data/synthpose_240 --categories 240
    say "training: about 5 minutes on two idle cores; 'eta' is the time left"
    "$python" tools/train.py "$config" --work-dir "$work" --seed 0 --auto-resume
    say 'testing on 12 categories that training has not seen'
    "$python" tools/test.py "$config" "$work/latest.pth" --out "$work/results.json" --show-dir "$work/pictures"
    say 'finding keypoints on photographs, by the starter'
    "$python" tools/demo_photographs.py --out work_dirs/photographs.jpg
}

command=setup full=
case ${1:-} in
    setup | test | demo) command=$1; shift ;;
esac
case $command in
    setup)
        if [ "${1:-}" = --full ]; then full=yes; shift; fi
        if [ $# -gt 0 ]; then printf '%s\n' "$usage" >&2; exit 2; fi
        setup
        [ "$python" != .venv/bin/python ] || say 'activate it: source .venv/bin/activate'
        ;;
    test)
        setup
        # a file of tests at a time on each core; `-n 0` behind `test` runs all in one process
        workers=$("$python" -c 'import os; print(min(os.cpu_count(), 4))')
        "$python" -m pytest -n "$workers" --dist loadfile "$@"
        ;;
    demo)
        if [ $# -gt 0 ]; then printf '%s\n' "$usage" >&2; exit 2; fi
        setup
        demo
        ;;
esac
