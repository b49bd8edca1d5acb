"""FMMP: category-agnostic pose estimation by recurrent feature mining."""

from ._import_warnings import keep_out
from ._requirements import require_own_parts

__version__ = '0.1.0'

require_own_parts()
keep_out()
