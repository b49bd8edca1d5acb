import time

import pytest


@pytest.fixture(autouse=True)
def no_sleep(monkeypatch):
    """MMCV's runner sleeps a second when it ends."""
    monkeypatch.setattr(time, 'sleep', lambda seconds: None)
