import os

import pytest


@pytest.fixture(scope='session')
def compiled(compiler):
    """Asserts that the ops are compiled, as install.sh leaves them where there is a compiler."""
    from fmmp.models.ops import library

    if os.environ.get('FMMP_OPS') == '0':
        pytest.skip('FMMP_OPS=0')
    assert 'cpu' in library.DEVICES, library.REASON
