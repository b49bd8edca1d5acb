"""FMMP: category-agnostic pose estimation by recurrent feature mining."""

from pathlib import Path

from ._import_warnings import keep_out

__version__ = '0.1.0'

keep_out()

# In a clone, `models/` and `datasets/` lie beside this package instead of inside it; an
# installation maps them here (`package_dir` in setup.py), a clone's own root finds them this way.
_root = Path(__file__).resolve().parent.parent
if (_root / 'models' / '__init__.py').is_file():
    __path__.append(str(_root))
