from setuptools import setup

PACKAGES = {
    'fmmp': 'fmmp',
    'fmmp.apis': 'fmmp/apis',
    'fmmp.models': 'models',
    'fmmp.models.detectors': 'models/detectors',
    'fmmp.models.necks': 'models/necks',
    'fmmp.models.heads': 'models/heads',
    'fmmp.models.layers': 'models/layers',
    'fmmp.models.ops': 'models/ops',
    'fmmp.datasets': 'datasets',
}

setup(
    name='fmmp',
    version='0.1.0',
    description='Category-agnostic pose estimation by recurrent feature mining (FMMP)',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=list(PACKAGES),
    package_dir=PACKAGES,
)
