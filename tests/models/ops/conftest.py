import os
import shutil

import pytest


@pytest.fixture(scope='session')
def compiler():
    path = shutil.which(os.environ.get('CXX', 'c++').split()[0])
    if path is None:
        pytest.skip('there is no C++ compiler')
    return path


@pytest.fixture(scope='session')
def compiled(compiler):
    """Asserts that the ops are compiled, as install.sh leaves them where there is a compiler."""
    from fmmp.models.ops import library

    if os.environ.get('FMMP_OPS') == '0':
        pytest.skip('FMMP_OPS=0')
    assert 'cpu' in library.DEVICES, library.REASON
