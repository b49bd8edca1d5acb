"""How this process's memory is managed on the CPU."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of mallopt, in <malloc.h>


def keep_freed_memory() -> None:
    """Let the process keep the memory that it frees, for what it allocates next.

    glibc gives large blocks back to the system and has them mapped anew, page by page and zeroed,
    with every tensor, which can double the time of a backbone's pass over a batch of images. Where
    the C library is another one, this does nothing.
    """
    if sys.platform != 'linux':
        return
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, -1)
