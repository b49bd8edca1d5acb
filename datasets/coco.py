"""COCO-style annotation files as JSON, with the types of all that is read of them checked once."""

import json
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath

from fmmp.errors import InputError
from fmmp.files import PROJECT_FILE

# JSON's numbers and text. Sets of types, since a bool is an int to isinstance.
NUMBER, TEXT = {int, float}, {str}
NOTHING = {type(None)}

FIELDS = {
    'images': {'id': NUMBER | TEXT, 'file_name': TEXT, 'width': NUMBER, 'height': NUMBER},
    'annotations': {'image_id': NUMBER | TEXT, 'category_id': NUMBER},
    'categories': {'id': NUMBER, 'name': TEXT},
}
OPTIONAL_FIELDS = {
    'images': {},
    'annotations': {'id': NUMBER | TEXT},
    'categories': {'supercategory': TEXT, 'original_name': TEXT, 'keypoints': {list}},
}
ODD_VISIBILITY = (
    'a visibility that is none of 0, 1 and 2: above 0 a keypoint counts as labelled, else as not'
)
WORDS = {int: 'a number', str: 'text', list: 'a list'}


def read_json(file: str | Path, role: str) -> object:
    """Read a JSON file; ``role`` says what it is in errors.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read, or is not JSON.
    """
    try:
        return json.loads(Path(file).read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise FileNotFoundError(
            f'{file}: there is no such {role}: check the path (it is relative to the directory you '
            'run from)'
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'{file}: the {role} cannot be read: {error}') from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(
            f'{file}: the {role} is not JSON ({error}): download or write it again'
        ) from error


def json_files(folder: Path, pattern: str = '*.json') -> list[Path]:
    """A folder's JSON files, but for the project that the page keeps beside the pictures."""
    return sorted(file for file in folder.glob(pattern) if file.name != PROJECT_FILE)


def read_coco(ann_file: str | Path, every_annotation: bool = True) -> dict:
    """Read a COCO-style annotation file whose entries have what every use of them needs.

    Args:
        ann_file: the annotation file.
        every_annotation: whether every annotation's box and keypoints must be sound, too; `check`
            reports on each of them instead.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read, or is not COCO-style: an entry lacks a field, or has one of
            another type.
    """
    content = read_json(ann_file, 'annotation file')
    for section, fields in FIELDS.items():
        entries = content.get(section) if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise InputError(
                f'{ann_file}: not COCO-style: there is no list {section!r}: give a file with '
                "'images', 'annotations' and 'categories'"
            )
        for position, entry in enumerate(entries):
            if problem := _field_problem(entry, fields, OPTIONAL_FIELDS[section]):
                raise InputError(f'{ann_file}: not COCO-style: {section}[{position}] {problem}')
    _require_one_kind_of_image_ids(content, ann_file)
    _require_one_name_an_id(content, ann_file)
    if every_annotation:
        images = {image['id']: image for image in content['images']}
        for annotation in content['annotations']:
            if problem := annotation_problem(annotation):
                where = describe_annotation(annotation, images.get(annotation['image_id']))
                raise InputError(
                    f'{ann_file}: {where} is not COCO-style: its {problem}: bbox is [x, y, w, h] '
                    'and keypoints [x, y, v, …], in numbers'
                )
    return content


def _field_problem(
    entry: object, required: Mapping[str, set[type]], optional: Mapping[str, set[type]]
) -> str | None:
    """Say which field an entry lacks or has of another type."""
    if not isinstance(entry, dict):
        return f'is {entry!r:.60}: every entry needs {", ".join(required)}'
    for key, types in required.items():
        if key not in entry:
            return f'has no {key!r}: every entry needs {", ".join(required)}'
        if type(entry[key]) not in types:
            return _wrong_type(key, entry[key], types)
    for key, types in optional.items():
        if type(entry.get(key)) not in types | NOTHING:
            return _wrong_type(key, entry[key], types)
    return None


def _wrong_type(key: str, value: object, types: set[type]) -> str:
    wanted = ' or '.join(word for type_, word in WORDS.items() if type_ in types)
    return f'has the {key} {value!r:.60}: give {wanted}'


def _require_one_kind_of_image_ids(content: dict, ann_file: str | Path) -> None:
    """Refuse ids that are numbers here and text there: 7 and '7' would be two images."""
    kinds = {}
    for section, key in (('images', 'id'), ('annotations', 'image_id')):
        for position, entry in enumerate(content[section]):
            kind = 'text' if type(entry[key]) is str else 'a number'
            if kind not in kinds:
                kinds[kind] = f'{section}[{position}] has the {key} {entry[key]!r}'
    if len(kinds) > 1:
        one, other = (f'{where}, {kind}' for kind, where in kinds.items())
        raise InputError(
            f'{ann_file}: not COCO-style: {one}, but {other}: write all ids of images as numbers'
        )


def _require_one_name_an_id(content: dict, ann_file: str | Path) -> None:
    names = {}
    for entry in content['categories']:
        if (first := names.setdefault(entry['id'], entry['name'])) != entry['name']:
            raise InputError(
                f'{ann_file}: the category id {entry["id"]} is that of {first!r} and of '
                f'{entry["name"]!r}: give each an id of its own'
            )


def annotation_problem(annotation: dict) -> str | None:
    """Say what of an annotation cannot be read, as it follows 'whose'; None where all can."""
    box = annotation.get('bbox', (0, 0, 0, 0))
    if not isinstance(box, (list, tuple)) or len(box) != 4 or not NUMBER.issuperset(map(type, box)):
        return 'box is not x, y, width, height'
    keypoints = annotation.get('keypoints') or ()
    if not isinstance(keypoints, (list, tuple)) or len(keypoints) % 3:
        return 'keypoints are not x, y, v, …'
    if not NUMBER.issuperset(map(type, keypoints)):
        return 'keypoints are no numbers'
    for key in ('area', 'num_keypoints', 'iscrowd'):
        if type(annotation.get(key, 0)) not in (int, float, bool, type(None)):
            return f'{key} is no number'
    return None


def odd_visibility(annotation: dict) -> bool:
    """Whether a keypoint's visibility is none of 0, 1 and 2."""
    return not {0, 1, 2}.issuperset(annotation['keypoints'][2::3])


def describe_annotation(annotation: dict, image: dict | None) -> str:
    """Name an annotation by its id, its category and its image."""
    name = image['file_name'] if image else annotation['image_id']
    return f'annotation {annotation.get("id")} (category {annotation["category_id"]}, image {name})'


def stays_inside(file_name: object) -> bool:
    """Whether an image's path is relative and does not climb out of the image folder."""
    if not isinstance(file_name, str) or not file_name or '\0' in file_name:
        return False
    windows = PureWindowsPath(file_name)  # knows both kinds of slash, and drives
    return not (windows.drive or windows.root or '..' in windows.parts)
