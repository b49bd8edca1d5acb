"""A labelling project: what keypoints there are, where they are in each picture, and its file."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from fmmp.errors import InputError
from fmmp.files import write_json

VERSION = 1
MOST_KEYPOINTS, MOST_LAYERS, LONGEST_NAME = 300, 32, 120
FARTHEST = 1e6  # pixels


class Project:
    """What has been labelled; safe to use from several threads.

    The form is that of the file, JSON::

        {
            "fmmp_project": 1,
            "keypoints": [{"id": "k1", "name": "nose"}, …],
            "links": [["k1", "k2"], …],
            "pictures": {
                "cat.jpg": {
                    "points": {"k1": {"x": 12.5, "y": 80, "hidden": false}, …},
                    "checked": true,    a person has labelled, corrected or accepted it
                    "shot": true,       the others are predicted from it
                    "box": null,        x, y, width, height of the object, or the whole picture
                    "calibrated": false
                }, …
            }
        }

    A predicted point also has its ``confidence`` and, of a method that refines, its ``layers``,
    [[x, y], …]; ``calibrated`` says whether the confidence is a probability. Points are pixels of
    the picture as it is seen, turned upright. They bear identifiers, so that a keypoint may be
    renamed, moved in the list, or taken out and brought back, without a change to the pictures.

    Args:
        path: the file; it is read if it is there, and written by `save`.

    Raises:
        InputError: there is another kind of file at the path.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.keypoints: list[dict] = []
        self.links: list[list[str]] = []
        self.pictures: dict[str, dict] = {}
        self.revision = 0
        self._changed: dict[str | None, int] = {}  # revisions, by picture; None: the keypoints
        self._saved = 0
        self._stamp = _stamp(self.path)
        self._lock, self._writing = threading.RLock(), threading.Lock()
        if self._stamp is not None:
            self._read()

    def change(self, patch: object) -> int:
        """Take in changes, all of them or none.

        Args:
            patch: ``keypoints``, ``links`` and ``pictures`` in the file's form; what it leaves out
                stays, and a picture that is null is forgotten.

        Returns:
            The revision that has them.

        Raises:
            InputError: it has another form; the message says where.
        """
        patch = _mapping(patch, 'the change', {'keypoints', 'links', 'pictures'})
        with self._lock:
            keypoints, links = self.keypoints, self.links
            if 'keypoints' in patch:
                keypoints = _keypoints(patch['keypoints'])
            ids = {keypoint['id'] for keypoint in keypoints}
            if 'links' in patch:
                links = _links(patch['links'], ids)
            pictures = {
                name: None if picture is None else _picture(picture, f'pictures.{name}')
                for name, picture in _mapping(patch.get('pictures', {}), 'pictures').items()
            }
            self.revision += 1
            if {'keypoints', 'links'} & patch.keys():
                self.keypoints = keypoints
                self.links = [link for link in links if ids.issuperset(link)]
                self._changed[None] = self.revision
            for name, picture in pictures.items():
                self._put(name, picture)
            return self.revision

    def add_prediction(self, name: str, predict: Callable[[dict], dict]) -> bool:
        """Replace a picture's points, unless a person has seen to it meanwhile.

        Args:
            name: the picture.
            predict: given the picture, returns the new one.
        """
        with self._lock:
            picture = self.picture(name)
            if picture['checked']:
                return False
            self.revision += 1
            self._put(name, predict(picture))
            return True

    def touch(self, name: str) -> None:
        """Let `changes` name a picture whose file is found to be broken."""
        with self._lock:
            self.revision += 1
            self._changed[name] = self.revision

    def picture(self, name: str) -> dict:
        """A picture's entry, an empty one if nothing is known of it."""
        with self._lock:
            return self.pictures.get(name) or _picture({}, name)

    def changes(self, since: int) -> dict:
        """What has changed after a revision: ``revision``, and parts of the file's form.

        Every picture that has changed is there, null if nothing is known of it any longer.
        """
        with self._lock:
            changed = {name for name, revision in self._changed.items() if revision > since}
            changes = {
                'revision': self.revision,
                'pictures': {name: self.pictures.get(name) for name in changed - {None}},
            }
            if since < 1 or None in changed:
                changes.update(keypoints=self.keypoints, links=self.links)
            return changes

    def save(self) -> None:
        """Write the file, all of it or nothing, unless it has everything already.

        Raises:
            InputError: another program has written it meanwhile; nothing is overwritten.
        """
        with self._writing:
            with self._lock:
                revision, content = self.revision, self._content()
            if revision == self._saved:
                return
            if _stamp(self.path) != self._stamp:
                raise InputError(
                    f'{self.path} was changed by another program and is not overwritten: '
                    'is the folder open twice? Close one, and start this one again'
                )
            write_json(content, self.path)
            self._stamp, self._saved = _stamp(self.path), revision

    def _put(self, name: str, picture: dict | None) -> None:
        if picture is None:
            self.pictures.pop(name, None)
        else:
            self.pictures[name] = picture
        self._changed[name] = self.revision

    def _content(self) -> dict:
        ids = {keypoint['id'] for keypoint in self.keypoints}
        return {
            'fmmp_project': VERSION,
            'keypoints': self.keypoints,
            'links': self.links,
            'pictures': {
                name: {
                    **picture,
                    'points': {id_: p for id_, p in picture['points'].items() if id_ in ids},
                }
                for name, picture in self.pictures.items()
            },
        }

    def _read(self) -> None:
        try:
            content = parse_json(self.path.read_bytes())
            if not isinstance(content, dict) or content.get('fmmp_project') != VERSION:
                raise InputError(f'no "fmmp_project": {VERSION} in it')
            parts = {key: content[key] for key in ('keypoints', 'links', 'pictures')}
            self.change(parts)
        except (InputError, KeyError) as error:
            raise InputError(
                f'{self.path} is no project that this version can read ({error}): move it away, '
                'or name another file with --project'
            ) from error
        self._saved = self.revision


def parse_json(text: bytes) -> object:
    """Parse JSON, without NaN and infinity.

    Raises:
        InputError: it is no JSON.
    """

    def refuse(constant: str) -> None:
        raise ValueError(f'{constant} is no number')

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise InputError(f'not JSON ({error})') from None


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes when another program writes a file; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _keypoints(values: object) -> list[dict]:
    if not isinstance(values, list) or len(values) > MOST_KEYPOINTS:
        raise InputError(f'keypoints: give a list of {MOST_KEYPOINTS} at most')
    keypoints = []
    for number, value in enumerate(values):
        value = _mapping(value, f'keypoints.{number}', {'id', 'name'})
        keypoints.append({key: _text(value.get(key), f'keypoints.{number}') for key in value})
        if keypoints[-1].keys() != {'id', 'name'} or not keypoints[-1]['id']:
            raise InputError(f'keypoints.{number}: give an id and a name')
    if len({keypoint['id'] for keypoint in keypoints}) < len(keypoints):
        raise InputError('keypoints: two have the same id')
    return keypoints


def _links(values: object, ids: set[str]) -> list[list[str]]:
    if not isinstance(values, list):
        raise InputError('links: give a list')
    links = {}
    for number, link in enumerate(values):
        pair = isinstance(link, list) and all(isinstance(end, str) and end in ids for end in link)
        if not pair or len(set(link)) != 2 or len(link) != 2:
            raise InputError(f'links.{number}: give the ids of two keypoints')
        links.setdefault(frozenset(link), link)
    return list(links.values())


def _picture(value: object, where: str) -> dict:
    known = {'points', 'checked', 'shot', 'box', 'calibrated'}
    value = _mapping(value, where, known)
    points = _mapping(value.get('points', {}), f'{where}.points')
    if len(points) > MOST_KEYPOINTS:
        raise InputError(f'{where}.points: {MOST_KEYPOINTS} at most')
    box = value.get('box')
    if box is not None:
        box = _numbers(box, 4, f'{where}.box')
        if min(box[2:]) <= 0:
            raise InputError(f'{where}.box: width and height must be above 0')
    return {
        'points': {
            _text(id_, f'{where}.points'): _point(point, f'{where}.points.{id_}')
            for id_, point in points.items()
        },
        **{key: _flag(value, key, where) for key in ('checked', 'shot')},
        'box': box,
        'calibrated': _flag(value, 'calibrated', where),
    }


def _point(value: object, where: str) -> dict:
    value = _mapping(value, where, {'x', 'y', 'hidden', 'confidence', 'layers'})
    x, y = _numbers([value.get('x'), value.get('y')], 2, where)
    point = {'x': x, 'y': y, 'hidden': _flag(value, 'hidden', where)}
    if value.get('confidence') is not None:
        (point['confidence'],) = _numbers([value['confidence']], 1, f'{where}.confidence')
        if not 0 <= point['confidence'] <= 1:
            raise InputError(f'{where}.confidence: give a number from 0 to 1')
    if value.get('layers') is not None:
        layers = value['layers']
        if not isinstance(layers, list) or len(layers) > MOST_LAYERS:
            raise InputError(f'{where}.layers: give a list of {MOST_LAYERS} at most')
        point['layers'] = [_numbers(layer, 2, f'{where}.layers') for layer in layers]
    return point


def _mapping(value: object, where: str, known: set[str] | None = None) -> Mapping:
    if not isinstance(value, dict):
        raise InputError(f'{where}: give an object')
    if known is not None and value.keys() - known:
        raise InputError(f'{where}: {min(value.keys() - known)} is none of {sorted(known)}')
    return value


def _flag(value: Mapping, key: str, where: str) -> bool:
    flag = value.get(key, False)
    if not isinstance(flag, bool):
        raise InputError(f'{where}.{key}: give true or false')
    return flag


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_NAME or not _is_unicode(value):
        raise InputError(f'{where}: give text of {LONGEST_NAME} letters at most')
    return value


def _is_unicode(text: str) -> bool:
    """Whether it can be written as UTF-8; half of a surrogate pair, which JSON allows, cannot."""
    return not any('\ud800' <= letter <= '\udfff' for letter in text)


def _numbers(values: object, count: int, where: str) -> list[float]:
    is_list = isinstance(values, list) and len(values) == count
    for value in values if is_list else [None]:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InputError(f'{where}: give {count} numbers')
        if not abs(value) <= FARTHEST:  # nor is NaN
            raise InputError(f'{where}: a number is out of range')
    return [round(float(value), 3) for value in values]
