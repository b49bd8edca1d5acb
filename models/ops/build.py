"""How setup.py compiles the ops: where torch and a compiler are there, and else not.

``FMMP_OPS`` is ``0`` (compile nothing), ``cpu`` or ``cuda`` (fail where that cannot be compiled);
unset, what can be compiled is.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = ('schema.cpp', 'cpu.cpp', 'meta.cpp', 'autograd.cpp', 'autocast.cpp')
CUDA_SOURCES = ('cuda.cpp', 'cuda_launch.cu')
GPUS = '8.0;9.0+PTX'  # compiled for where there is none to ask; newer ones compile the PTX


def library_name(torch_version: str) -> str:
    """Name of the compiled library, which fits one version of torch only."""
    return '_ops_torch_' + re.sub(r'\W', '_', torch_version)


def setup_arguments() -> dict:
    """Arguments for ``setup()`` that add the compiled ops, none where they cannot be compiled."""
    wanted = os.environ.get('FMMP_OPS', '')
    if wanted not in ('', '0', 'cpu', 'cuda'):
        raise SystemExit(f'FMMP_OPS={wanted}: expected 0, cpu or cuda')
    if wanted == '0':
        return {}
    missing = None
    try:
        import torch
    except ImportError:
        missing = 'torch cannot be imported in this build; with pip, add --no-build-isolation'
    else:
        compiler = os.environ.get('CXX', 'c++').split()[0]
        if shutil.which(compiler) is None:
            missing = f'there is no C++ compiler {compiler} (Debian, Ubuntu: apt install g++)'
    if missing:
        if wanted:
            raise SystemExit(f'FMMP_OPS={wanted}: {missing}')
        say(f'the ops are not compiled, FMMP will run in plain PyTorch: {missing}')
        return {}

    home, reason = (None, 'FMMP_OPS=cpu') if wanted == 'cpu' else cuda_toolkit(torch.version.cuda)
    with_cuda = home is not None
    if wanted == 'cuda' and not with_cuda:
        raise SystemExit(f'FMMP_OPS=cuda: {reason}')
    if with_cuda:
        os.environ['CUDA_HOME'] = str(home)  # before torch looks for it
        if not torch.cuda.is_available():
            os.environ.setdefault('TORCH_CUDA_ARCH_LIST', GPUS)
    say(f'compiling the ops for the CPU{" and for CUDA" if with_cuda else f" ({reason})"}')

    from torch.utils.cpp_extension import BuildExtension, CppExtension, CUDAExtension

    folder = 'models/ops/csrc'
    extension = (CUDAExtension if with_cuda else CppExtension)(
        f'fmmp.models.ops.{library_name(torch.__version__)}',
        [f'{folder}/{name}' for name in SOURCES + CUDA_SOURCES * with_cuda],
        depends=sorted(map(str, Path(folder).glob('*.*h'))),
        extra_compile_args={'cxx': compile_arguments(), 'nvcc': ['-O3']},
    )
    return {'ext_modules': [extension], 'cmdclass': {'build_ext': BuildExtension}}


def compile_arguments() -> list[str]:
    """For the C++ compiler."""
    # OpenMP without -fopenmp at the link: torch brings the runtime, and two of them in a process
    # would keep threads each.
    openmp = ['-fopenmp'] if sys.platform == 'linux' else []
    return ['-O3', '-g0', '-Wno-psabi', *openmp]


def cuda_toolkit(torch_cuda: str | None) -> tuple[Path | None, str]:
    """The CUDA toolkit's folder, if its major version is that of torch; else why there is none."""
    if torch_cuda is None:
        return None, 'this torch is built without CUDA'
    home = os.environ.get('CUDA_HOME') or os.environ.get('CUDA_PATH')
    names = [f'{home}/bin/nvcc'] if home else ['nvcc', '/usr/local/cuda/bin/nvcc']
    nvcc = next(filter(None, map(shutil.which, names)), None)
    if nvcc is None:
        return None, 'no nvcc is found, on the PATH or in $CUDA_HOME'
    # Asked of nvcc itself, since the one on the PATH may be a link or a script elsewhere.
    run = subprocess.run([nvcc, '--dryrun', '-x', 'cu', os.devnull], capture_output=True, text=True)
    top = re.search(r'^#\$ TOP=(.*)$', run.stderr, re.MULTILINE)
    version = subprocess.run([nvcc, '--version'], capture_output=True, text=True)
    release = re.search(r'release (\d+)\.', version.stdout)
    if top is None or release is None:
        return None, f'{nvcc} does not say its folder and version'
    if release[1] != torch_cuda.split('.')[0]:
        return None, f'torch is built for CUDA {torch_cuda}, and {nvcc} is of CUDA {release[1]}'
    return Path(top[1]).resolve(), ''


def say(text: str) -> None:
    """Print for whoever builds."""
    print(f'fmmp: {text}', file=sys.stderr, flush=True)
