"""Label Studio's interface for ML backends: it learns from annotations and answers with results."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from fmmp.apis import Support
from fmmp.apis.estimator import Pose
from fmmp.apis.support import Box
from fmmp.errors import InputError
from fmmp.formats import Labelled
from fmmp.formats.label_studio import (
    Config,
    Points,
    newest,
    parse_config,
    read_results,
    results,
)

from .category import MOST_SHOTS, Category, box_around, suggested
from .images import Pictures
from .problems import Problem

MOST_TASKS = 1000  # of a request
MOST_PROJECTS = 100
MOST_REMEMBERED = 10_000  # annotations of a project
MALFORMED = (ArithmeticError, AttributeError, KeyError, TypeError, ValueError)


class LabelStudio:
    """The projects of a Label Studio.

    The first picture of a label that someone annotates is its support, unless one was given when
    the server began; corrected ones become further shots.

    Args:
        load: gives the method.
        given: categories that the server began with, by name.
        pictures: where pictures may be read.
    """

    def __init__(
        self, load: Callable[[], nn.Module], given: Mapping[str, Category], pictures: Pictures
    ) -> None:
        self.load, self.given, self.pictures = load, given, pictures
        self._projects: dict[str, _Project] = {}
        self._lock = threading.Lock()

    def setup(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Take a project's labelling configuration."""
        project = self._project(request.get('project'), request.get('schema'))
        return {'model_version': project.version}

    def predict(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """A prediction for each task: an empty one, as long as nothing is labelled.

        A rectangle that someone has just drawn (``params.context``), or that the task's annotation
        holds without keypoints, is the object's box; without any, the whole picture is.
        """
        project = self._project(request.get('project'), request.get('label_config'))
        tasks = request.get('tasks')
        if not isinstance(tasks, list) or len(tasks) > MOST_TASKS:
            raise Problem(f"give a list of 'tasks', {MOST_TASKS} at most")
        if not all(isinstance(task, dict) for task in tasks):
            raise Problem('a task is no object')
        params = request.get('params')
        context = params.get('context') if isinstance(params, dict) else None
        drawn = (context.get('result') if isinstance(context, dict) else None) or []
        for task in [task for task in tasks if task.get('annotations')][-MOST_SHOTS:]:
            try:
                project.learn(task)
            except InputError:  # one shot that cannot be used does not stop the answers
                if len(tasks) == 1:
                    raise
        answers = []
        for task in tasks:
            try:
                answers.append(project.answer(self.load, task, drawn))
            except InputError as error:  # one of many does not stop the others
                if len(tasks) == 1:
                    raise
                answers.append({'result': [], 'score': 0.0, 'error': str(error)})
        return {'results': answers, 'model_version': project.version}

    def webhook(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Learn from an annotation that was made or corrected, and forget one that was deleted."""
        project = request.get('project')
        project = project if isinstance(project, dict) else {'id': project}
        project = self._project(project.get('id'), project.get('label_config'))
        action, annotation = request.get('action'), request.get('annotation')
        if action in ('ANNOTATION_CREATED', 'ANNOTATION_UPDATED'):
            task = request.get('task')
            if not isinstance(task, dict) or not isinstance(annotation, dict):
                raise Problem("give the 'task' and the 'annotation'")
            project.learn({**task, 'annotations': [annotation]})
        elif action in ('ANNOTATIONS_DELETED', 'ANNOTATION_DELETED'):
            gone = request.get('annotations') or [annotation]
            for one in gone if isinstance(gone, list) else ():
                project.forget(_key(one))
        return {'status': 'ok', 'model_version': project.version}

    def _project(self, project: object, text: object) -> _Project:
        """A project; one whose configuration has changed begins anew."""
        name = str(project if project is not None else '').partition('.')[0][:100]
        config = parse_config(text) if isinstance(text, str) and text else None
        with self._lock:
            known = self._projects.get(name)
            if config is None and known is None:
                raise Problem(f'the labelling configuration of project {name!r} is not known')
            if config is not None and (known is None or known.config != config):
                known = self._projects[name] = _Project(config, self.given, self.pictures)
                while len(self._projects) > MOST_PROJECTS:
                    self._projects.pop(next(iter(self._projects)))
            return known


class _Project:
    """A project's labels, each a category, and the annotations that it has learnt from."""

    def __init__(self, config: Config, given: Mapping[str, Category], pictures: Pictures) -> None:
        self.config, self.pictures = config, pictures
        labels = config.categories or tuple(given)[:1] or ('object',)
        self.categories = {label: self._begin(label, labels, given) for label in labels}
        self._seen: dict[str, str] = {}  # annotations as they were, by their ids

    def _begin(self, label: str, labels: Sequence[str], given: Mapping[str, Category]) -> Category:
        """A label's category, with the shots that the server began with."""
        names, skeleton, shots = self.config.names, self.config.skeleton, []
        known = given.get(label)
        if known is None and len(labels) == len(given) == 1:
            known = next(iter(given.values()))  # one of each: what else would it be?
        if known is not None:
            if not skeleton and len(known.names) == len(names):
                skeleton = known.skeleton
            shots = known.under(names, skeleton)
            if not shots:
                warnings.warn(
                    f'the shots of {known.name!r} are left out, since the labelling configuration '
                    f'lacks some of its keypoints: {", ".join(known.names)}',
                    stacklevel=2,
                )
        return Category(label, names, skeleton, shots)

    @property
    def version(self) -> str:
        """Tells this state from others: Label Studio keeps predictions by it."""
        return ' '.join(['fmmp', *(category.version for category in self.categories.values())])

    def learn(self, task: Mapping[str, Any]) -> None:
        """Take a shot of a task's newest annotation: its first object that has keypoints."""
        try:
            annotation = newest({'annotations': task.get('annotations')})
            objects = list(read_results(annotation.get('result') or []))
        except MALFORMED as error:
            raise _malformed(error) from error
        key, state = _key(annotation), repr(annotation)
        if self._seen.get(key) == state:
            return
        self.forget(key)
        for label, size, box, points in objects:
            if points.keys() & set(self.config.names):
                category = self.categories.get(label) or next(iter(self.categories.values()))
                image = self.pictures.read(self._address(task))
                category.learn(key, _support(category, image, size, box, points))
                break
        self._seen[key] = state
        while len(self._seen) > MOST_REMEMBERED:
            self._seen.pop(next(iter(self._seen)))

    def forget(self, key: str) -> None:
        """Do without an annotation."""
        self._seen.pop(key, None)
        for category in self.categories.values():
            category.forget(key)

    def answer(
        self, load: Callable[[], nn.Module], task: Mapping[str, Any], drawn: Sequence[Mapping]
    ) -> dict[str, Any]:
        """A task's prediction."""
        image, found, scores = None, [], []
        for label, boxes in self._wanted(task, drawn):
            if image is None:
                image = self.pictures.read(self._address(task))
            size = image.shape[:2]
            boxes = [_scaled(box, size) for box in boxes]
            poses = self.categories[label].find(load(), image, boxes)
            for box, pose in zip(boxes, poses, strict=True):
                item = _labelled(pose, box, size)
                scores.append(item.score)
                found += results(self.config, label, item, f'fmmp{len(scores)}')
        score = float(np.mean(scores)) if scores else 0.0
        return {'result': found, 'score': score, 'model_version': self.version}

    def _wanted(
        self, task: Mapping[str, Any], drawn: Sequence[Mapping]
    ) -> Iterator[tuple[str, list[Box | None]]]:
        """Yield the labels that can be answered, and their boxes in shares of the picture."""
        try:
            annotation = newest({'annotations': task.get('annotations')})
            boxes = list(_rectangles(drawn)) or list(_rectangles(annotation.get('result') or []))
        except MALFORMED as error:
            raise _malformed(error) from error
        ready = [label for label, category in self.categories.items() if category.shots]
        for label in ready:
            alone = len(ready) == 1
            own = [box for name, box in boxes if name == label or (name is None and alone)]
            if own:
                yield label, own
        if not boxes and len(ready) == 1:
            yield ready[0], [None]

    def _address(self, task: Mapping[str, Any]) -> object:
        data = task.get('data')
        return data.get(self.config.key) if isinstance(data, dict) else None


def _support(
    category: Category, image: np.ndarray, size: tuple[int, int], box: Box | None, points: Points
) -> Support:
    """A shot of an annotated object, whose picture may have another size than the tool thought."""
    scale = np.divide(image.shape[1::-1], size[::-1])
    table = [points.get(name, (0.0, 0.0, 0, None)) for name in category.names]
    keypoints = np.array([(x, y) for x, y, *_ in table]) * scale
    visible = np.array([seen > 0 for _, _, seen, _ in table])
    box = None if box is None else tuple(np.multiply(box, (*scale, *scale)).tolist())
    return Support(image, keypoints, visible, category.skeleton, box)


def _rectangles(found: Sequence[Mapping]) -> Iterator[tuple[str | None, Box]]:
    """Yield the rectangles that have no keypoints, their label and place in shares of the image."""
    parents = {one.get('parentID') for one in found if one.get('type') == 'keypointlabels'}
    for one in found:
        if one.get('type') not in ('rectanglelabels', 'rectangle') or one.get('id') in parents:
            continue
        value = one['value']
        numbers = [float(value[key]) / 100 for key in ('x', 'y', 'width', 'height')]
        if not np.isfinite(numbers).all():
            raise ValueError('a rectangle that is not finite')
        yield (value.get('rectanglelabels') or [None])[0], tuple(numbers)


def _scaled(box: Box | None, size: tuple[int, int]) -> Box | None:
    height, width = size
    return None if box is None else tuple(np.multiply(box, (width, height) * 2).tolist())


def _labelled(pose: Pose, box: Box | None, size: tuple[int, int]) -> Labelled:
    """A prediction as it is shown: points inside the picture, in the box or in one around them."""
    height, width = size
    points = np.clip(pose.keypoints, 0, (width, height))
    found = suggested(pose)
    box = box_around(points[found], size) if box is None and found.any() else box
    return Labelled('', size, points, found, box, np.clip(pose.confidence, 0, 1))


def _key(annotation: object) -> str:
    """What tells an annotation from others."""
    return str(annotation.get('id') if isinstance(annotation, dict) else annotation)[:100]


def _malformed(error: Exception) -> Problem:
    return Problem(
        'the task or its annotation is not as Label Studio has it '
        f'({type(error).__name__}: {error!s:.200})'
    )
