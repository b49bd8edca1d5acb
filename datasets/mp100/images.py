"""Images as training will meet them: there, readable, of the annotated size."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from ..coco import stays_inside
from ..orientation import lies_on_its_side

READ_BY_OPENCV = {'BMP', 'DIB', 'JPEG', 'JPEG2000', 'MPO', 'PNG', 'PPM', 'SUN', 'TIFF', 'WEBP'}

Progress = Callable[[int, int], None]


def examine_images(
    images: Iterable[dict],
    folder: str | Path,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[tuple[str, str] | None]:
    """Examine an annotation file's images, several at once.

    Args:
        images: entries with ``file_name``, ``width`` and ``height``.
        folder: the image folder.
        workers: threads that read; as many as there are processors unless given.
        progress: called with the numbers of images examined and to examine.

    Returns:
        What is wrong with each, as `examine_image` tells it.
    """
    images = list(images)
    results = []
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:  # decoding releases the lock
        for result in pool.map(lambda image: examine_image(image, folder), images):
            results.append(result)
            if progress:
                progress(len(results), len(images))
    return results


def examine_image(image: dict, folder: str | Path) -> tuple[str, str] | None:
    """Examine one image; its path may lead over linked folders, not out of the image folder.

    Returns:
        None, or the problem and its details: ``refused``, ``missing``, ``unreadable`` or
        ``wrong size``.
    """
    if not stays_inside(image['file_name']):
        return 'refused', 'its path leaves the image folder'
    path = Path(folder, image['file_name'])
    try:
        if not path.is_file():
            dangling = any(p.is_symlink() and not p.exists() for p in (path, path.parent))
            return 'missing', 'its link leads nowhere' if dangling else ''
        with Image.open(path) as picture:
            width, height = picture.size
            turned = lies_on_its_side(picture)
            kind = picture.format
            picture.load()  # decodes it all, so a truncated file raises
    except Exception as error:  # whatever a malformed image raises
        return 'unreadable', ' '.join(str(error).split()) or type(error).__name__
    if kind not in READ_BY_OPENCV:
        return 'unreadable', f'a {kind} image, which OpenCV may not read'
    if turned:
        width, height = height, width
    if (width, height) != (image['width'], image['height']):
        details = f'{width} x {height}, annotated as {image["width"]} x {image["height"]}'
        return 'wrong size', details + (', turned by its EXIF orientation' if turned else '')
    return None
