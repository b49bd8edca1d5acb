"""How a photograph lies: EXIF's orientation, by which viewers turn it upright."""

from PIL import Image

ORIENTATION = 0x0112  # EXIF's tag; from 5 on the image is to be turned by a quarter
WIDTH = 0x0100  # TIFF's tag: the width as stored


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of an opened image once it is turned upright; its pixels are not read."""
    width, height = image.size
    return (height, width) if lies_on_its_side(image) else (width, height)


def lies_on_its_side(image: Image.Image) -> bool:
    """Whether an opened image's width and height are still to be swapped, by its EXIF.

    Of TIFF, newer versions of Pillow say the upright ones already.
    """
    if image.getexif().get(ORIENTATION) not in (5, 6, 7, 8):
        return False
    return image.format != 'TIFF' or image.width == image.tag_v2.get(WIDTH)
