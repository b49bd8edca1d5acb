"""A page's server over a small folder, with a stand-in for the method."""

import threading
import time
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

pytest.importorskip('starlette')

from starlette.testclient import TestClient

from fmmp.app.folder import Folder
from fmmp.app.prediction import Predictor
from fmmp.app.project import Project
from fmmp.app.server import make_app
from fmmp.errors import InputError
from fmmp.files import PROJECT_FILE

ADDRESS = 'http://127.0.0.1:8008'


class FakeEstimator:
    """Finds the first support's keypoints at their place, the surer the later a picture's name."""

    def __init__(self, supports):
        self.supports = supports
        self.asked = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __call__(self, paths, boxes):
        assert self.may_go_on.wait(10)
        (path,) = paths
        if cv2.imread(str(path)) is None:
            raise OSError(f'{path}: not a readable image')
        if boxes[0] and boxes[0][0] > cv2.imread(str(path)).shape[1]:
            raise InputError('boxes[0] must meet its image')
        self.asked.append(path.name)
        points = np.array(self.supports[0]['keypoints'], float)
        confidence = np.full(len(points), 0.1 + 0.01 * (ord(path.name[0]) - ord('a')))
        layers = np.stack([points + 5, points])
        pose = SimpleNamespace(keypoints=points, confidence=confidence, layers=layers)
        pose.calibrated = False
        return [pose]

    def look(self, path, box):
        """One sample a keypoint, of half its coordinates in the picture."""
        (points,) = [np.array(support['keypoints'], float) for support in self.supports[:1]]
        samples = np.concatenate([points, np.ones((len(points), 1))], axis=1)[:, None]
        return SimpleNamespace(
            image=samples * (0.5, 0.5, 1), supports=[samples] * len(self.supports)
        )


class Page:
    """The parts of a server over a folder."""

    def __init__(self, root, token=None):
        self.root = root
        self.estimators = []
        self.folder = Folder(root)
        self.project = Project(root / PROJECT_FILE)
        self.predictor = Predictor(self.folder, self.project, object, self._make)
        app = make_app(self.folder, self.project, self.predictor, token)
        self.client = TestClient(app, base_url=ADDRESS, raise_server_exceptions=False)

    def _make(self, model, supports):
        self.estimators.append(FakeEstimator(supports))
        return self.estimators[-1]

    def label(self, name='a.jpg', **picture):
        """Label a picture with two linked keypoints, as the page does."""
        points = {'k1': {'x': 10, 'y': 20}, 'k2': {'x': 30, 'y': 40}}
        content = {'points': points, 'checked': True, 'shot': True, **picture}
        patch = {
            'keypoints': [{'id': 'k1', 'name': 'nose'}, {'id': 'k2', 'name': 'tail'}],
            'links': [['k1', 'k2']],
            'pictures': {name: content},
        }
        answer = self.client.patch('/api/project', json=patch)
        assert answer.status_code == 200, answer.text

    def predict(self, **query):
        answer = self.client.put('/api/prediction', params=query)
        assert answer.status_code == 202, answer.text
        self.wait()

    def wait(self):
        end = time.monotonic() + 10
        while self.predictor.status['state'] != 'ready':
            assert time.monotonic() < end
            time.sleep(0.01)


def write_pictures(root, names, size=(80, 60)):
    """Write pictures of noise, always the same ones."""
    random = np.random.default_rng(0)
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (6, 8, 3), np.uint8)
        cv2.imwrite(str(root / name), cv2.resize(pixels, size))
