"""Predicting the pictures that nobody has checked, in the background."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fmmp.errors import InputError

from .folder import Folder
from .project import Project

SAVE_EVERY = 1.0  # seconds


class Predictor:
    """Finds the shots' keypoints in all other pictures, one after the other.

    The shots are encoded when they have changed, not at every call.

    Args:
        folder: the pictures.
        project: it says which are shots, and takes the predictions in.
        load: gives the model; it is called once, in the background, since that takes seconds.
        make: (model, supports) to an estimator, as `fmmp.apis.Estimator`; `fmmp.apis` holds
            both `Estimator` and `Support`, and is imported only when the model is loaded.
    """

    def __init__(
        self,
        folder: Folder,
        project: Project,
        load: Callable[[], Any],
        make: Callable[[Any, Sequence[dict]], Any],
    ) -> None:
        self.folder, self.project = folder, project
        self._make = make
        self._model: Any = None
        self._estimator: tuple[str, Any] = ('', None)  # and what it was made of
        self._failure = ''
        self.closed = False
        self._job: object = None  # the one that runs; another one ends it
        self._lock = threading.Lock()
        self.status = {'state': 'loading', 'done': 0, 'total': 0, 'message': ''}
        self._loaded = self._worker = threading.Thread(target=self._load, args=[load], daemon=True)
        self._loaded.start()

    def start(self, first: str | None = None) -> None:
        """Predict all pictures that nobody has checked; what is being predicted ends.

        Args:
            first: the picture to begin with.

        Raises:
            InputError: there are no shots, or no other pictures.
        """
        if not self._shots():
            raise InputError('label a picture first: its keypoints are looked for in the others')
        if not (names := self._unchecked(first)):
            raise InputError('every picture is checked: there is none to predict')
        with self._lock:
            self._job = job = object()
            self._tell(job, state='running', done=0, total=len(names), message='')
            self._worker = threading.Thread(target=self._run, args=[job, names], daemon=True)
            self._worker.start()

    def look(self, name: str) -> dict:
        """Where the method looks for the keypoints in a picture, and in the shots.

        Returns:
            ``image``, by keypoint [[x, y, weight], …], and ``supports``, of each shot its ``name``
            and ``points`` of that form; nothing of a method that does not say it.

        Raises:
            KeyError: there is no such picture.
            InputError: there are no shots, or the model is not there.
        """
        path, box = self.folder.path(name), self.project.picture(name)['box']
        self._loaded.join()
        if self._model is None:
            raise InputError(self._failure)
        if not (shots := self._shots()):
            raise InputError('label a picture first')
        estimator, ids = self._encoded(shots)
        found = estimator.look(path, box)
        if found is None:
            return {}

        def by_keypoint(samples: np.ndarray) -> dict[str, list]:
            return dict(zip(ids, np.round(samples, 4).tolist(), strict=True))

        supports = [
            {'name': shot['name'], 'points': by_keypoint(samples)}
            for shot, samples in zip(shots, found.supports, strict=True)
        ]
        return {'image': by_keypoint(found.image), 'supports': supports}

    def stop(self) -> None:
        """End what is being predicted; what has been stays."""
        with self._lock:
            self._job = None
            if self.status['state'] == 'running':
                self._set(state='ready')

    def close(self) -> None:
        """End, with what waits for news."""
        self.stop()
        self.closed = True

    def join(self) -> None:
        """Wait for what runs in the background; torch's code must not outlive the interpreter."""
        self._loaded.join()
        self._worker.join()

    def _load(self, load: Callable[[], Any]) -> None:
        try:
            self._model = load()
        except Exception as error:  # whatever it is, the page shows it
            self._failure = f'the model cannot be loaded: {error}'
            self._set(state='failed', message=self._failure)
        else:
            if self.status['state'] == 'loading':
                self._set(state='ready')

    def _run(self, job: object, names: list[str]) -> None:
        self._loaded.join()
        if self._model is None:
            self._tell(job, state='failed', message=self._failure)
            return
        message = ''
        try:
            self._predict_all(job, names)
        except InputError as error:
            message = str(error)
        except Exception as error:  # the page shows it, and goes on
            message = f'{type(error).__name__}: {error}'
        self._tell(job, state='ready', message=message)

    def _predict_all(self, job: object, names: list[str]) -> None:
        failures = []
        try:
            estimator, ids = self._encoded(self._shots())
            saved = time.monotonic()
            for done, name in enumerate(names, start=1):
                if job is not self._job:
                    return
                try:
                    self._predict(job, estimator, ids, name)
                except InputError as error:  # of this picture, such as its box: the rest goes on
                    failures.append(f'{name}: {error}')
                self._tell(job, done=done)
                if time.monotonic() > saved + SAVE_EVERY:
                    self.project.save()
                    saved = time.monotonic()
        finally:
            self.project.save()
        if failures:
            more = f' (and {len(failures) - 1} more)' if len(failures) > 1 else ''
            raise InputError(failures[0] + more)

    def _predict(self, job: object, estimator: Any, ids: list[str], name: str) -> None:
        box = self.project.picture(name)['box']
        try:
            (pose,) = estimator([self.folder.path(name)], [box])
        except KeyError:  # it is gone
            return
        except OSError:
            self.folder.mark_broken(name, 'not a readable picture: it is cut short or damaged')
            self.project.touch(name)
            return
        if job is not self._job:  # a newer one's shots may have answered already
            return
        points = points_of(pose, ids)
        found = {'points': points, 'calibrated': bool(pose.calibrated)}
        self.project.add_prediction(name, lambda picture: {**picture, **found})

    def _encoded(self, shots: Sequence[dict]) -> tuple[Any, list[str]]:
        """The estimator of shots, and the keypoints that it finds."""
        present = {id_ for shot in shots for id_ in shot['points']}
        ids = [keypoint['id'] for keypoint in self.project.keypoints if keypoint['id'] in present]
        links = [(ids.index(i), ids.index(j)) for i, j in self.project.links if {i, j} <= set(ids)]
        supports = [
            {
                'image': self.folder.path(shot['name']),
                'keypoints': [shot['points'].get(id_, (0.0, 0.0)) for id_ in ids],
                'visible': [id_ in shot['points'] for id_ in ids],
                'skeleton': links,
                'box': shot['box'],
            }
            for shot in shots
        ]
        key = json.dumps(supports, default=str)
        if self._estimator[0] != key:
            self._estimator = key, self._make(self._model, supports)
        return self._estimator[1], ids

    def _shots(self) -> list[dict]:
        """Pictures that are shots, with the points to be seen in them."""
        known = {keypoint['id'] for keypoint in self.project.keypoints}
        shots = []
        for name, seen in list(self.folder.pictures.items()):
            picture = self.project.picture(name)
            points = {
                id_: (point['x'], point['y'])
                for id_, point in picture['points'].items()
                if id_ in known and not point['hidden']
            }
            if picture['shot'] and picture['checked'] and points and not seen.error:
                shots.append({'name': name, 'points': points, 'box': picture['box']})
        return shots

    def _unchecked(self, first: str | None) -> list[str]:
        names = [
            name
            for name, seen in list(self.folder.pictures.items())
            if not seen.error and not self.project.picture(name)['checked']
        ]
        return sorted(names, key=lambda name: name != first)

    def _tell(self, job: object, **status: object) -> None:
        if job is self._job:
            self._set(**status)

    def _set(self, **status: object) -> None:
        self.status = {**self.status, **status}


def points_of(pose: Any, ids: list[str]) -> dict[str, dict]:
    """A pose in the form of a project's points.

    Args:
        pose: as of `fmmp.apis.Estimator`.
        ids: its keypoints' identifiers.
    """
    points = {}
    for k, id_ in enumerate(ids):
        x, y = np.round(pose.keypoints[k], 2).tolist()
        points[id_] = {'x': x, 'y': y, 'hidden': False}
        points[id_]['confidence'] = round(float(np.clip(pose.confidence[k], 0, 1)), 3)
        if len(pose.layers) > 1:
            points[id_]['layers'] = np.round(pose.layers[:, k], 2).tolist()
    return points
