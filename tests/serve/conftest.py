import json

import pytest


@pytest.fixture(scope='session')
def starter():
    """The starter, loaded once."""
    from fmmp.app.serving import load_model

    return load_model(None, None, 'cpu')


@pytest.fixture
def beetle(tmp_path):
    """A category of one picture."""
    from fmmp.serve.category import given_category

    from .pictures import write_support

    image, keypoints = write_support(tmp_path)
    return given_category([image], [keypoints])


@pytest.fixture
def tailless(tmp_path):
    """A category whose picture does not show the last keypoint."""
    from fmmp.serve.category import given_category

    from .pictures import write_support

    image, keypoints = write_support(tmp_path)
    content = json.loads(keypoints.read_text())
    content['keypoints'][-1] = None
    keypoints.write_text(json.dumps(content))
    return given_category([image], [keypoints])


@pytest.fixture
def serve(starter):
    """Make a client of a server."""
    from starlette.testclient import TestClient

    from fmmp.serve.images import Pictures
    from fmmp.serve.server import make_app

    def make(*given, token=None, folder=None, host='localhost', **options):
        categories = {category.name: category for category in given}
        app = make_app(lambda: starter, categories, Pictures(folder, **options), token)
        return TestClient(app, base_url=f'http://{host}', raise_server_exceptions=False)

    return make
