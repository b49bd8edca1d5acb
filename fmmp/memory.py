"""How this process's memory is managed on the CPU."""

import ctypes
import re
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


# As torch's allocators, numpy, OpenCV and the system put it.
_OUT_OF_MEMORY = re.compile(
    "out of memory|can't allocate memory|not enough memory|_ALLOC_FAILED|[Ii]nsufficient memory|"
    'Cannot allocate memory|Unable to allocate|MemoryError'
)


def what_to_lower(error: Exception) -> str | None:
    """Say what to do about an error, if it is for want of memory, on a GPU or not."""
    text = str(error)
    if isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(text):
        asked = re.search(r'allocate ([\d.]+ \w+)', text)
        return (
            f'out of memory{f" (asked for {asked[1]})" if asked else ""}: lower '
            'data.samples_per_gpu (optimizer_config.cumulative_iters makes up for it) or '
            'data.workers_per_gpu, in validation and tests data.{val,test}_dataloader, or set '
            'precision=bfloat16'
        )
    if text.startswith('DataLoader worker'):
        return (
            f'{text}; a worker that is killed most often lacked memory: lower '
            'data.workers_per_gpu or data.samples_per_gpu, or ask for more'
        )
    return None
