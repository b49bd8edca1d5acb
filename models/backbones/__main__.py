"""Fetch backbones' weights before they are needed: ``python -m fmmp.models.backbones SOURCE …``."""

import sys

from fmmp.errors import InputError

from .sources import find_weights

if __name__ == '__main__':
    try:
        for source in sys.argv[1:]:
            print(source, find_weights(source, download=True))
    except InputError as error:
        sys.exit(f'error: {error}')
