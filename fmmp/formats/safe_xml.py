"""XML of strangers: no document types, whose entities could grow without end."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from fmmp.errors import InputError


class _NoDocumentType(ET.TreeBuilder):
    def doctype(self, *_: object) -> None:
        raise ET.ParseError('it declares a document type')


def parse(content: str | bytes, where: str | Path) -> ET.Element:
    """The root of XML; ``where`` begins the errors.

    Raises:
        InputError: it is not XML, or declares a document type.
    """
    parser = ET.XMLParser(target=_NoDocumentType())
    try:
        parser.feed(content)
        return parser.close()
    except (ET.ParseError, LookupError, ValueError) as error:
        raise InputError(f'{where}: not readable as XML: {error}') from error


def to_bytes(root: ET.Element, where: str | Path, declaration: bool = True) -> bytes:
    """XML as UTF-8, with or without a line that says so.

    Raises:
        InputError: a text has a character that XML cannot hold.
    """
    ET.indent(root)
    try:
        content = ET.tostring(root, encoding='utf-8', xml_declaration=declaration)
        ET.fromstring(content)
    except (UnicodeEncodeError, ET.ParseError) as error:
        raise InputError(
            f'{where}: a name of an image, a keypoint or the category has a character that XML '
            f'cannot hold ({error})'
        ) from error
    return content
