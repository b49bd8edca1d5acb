"""FMMP: category-agnostic pose estimation by recurrent feature mining."""

from ._import_warnings import keep_out
from ._requirements import require_own_parts
from .threads import let_waiting_threads_sleep

__version__ = '0.1.0'

require_own_parts()
keep_out()
let_waiting_threads_sleep()  # before torch is imported
