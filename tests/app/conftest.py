"""A folder of pictures, and a page's server over it."""

import pytest


@pytest.fixture
def root(tmp_path):
    """A folder of three pictures."""
    from tests.app.pages import write_pictures

    folder = tmp_path / 'pictures'
    write_pictures(folder, ['a.jpg', 'b.jpg', 'sub/c.png'])
    return folder


@pytest.fixture
def page(root):
    from tests.app.pages import Page

    return Page(root)
