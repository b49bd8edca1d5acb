"""Seconds from a click on Predict to the first result on the screen, and to a hundred pictures.

It serves a folder of a hundred views of one photograph, the first of them labelled, and clicks in
headless Chromium: once when the shot has yet to be encoded, then with it encoded, each time until
the first result is drawn; and until all are there.

    python benchmarks/page.py [--pictures 100] [--clicks 9]

It needs selenium, chromium and chromedriver.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from fmmp.app.__main__ import make_estimator
from fmmp.app.examples import add_example
from fmmp.app.folder import Folder
from fmmp.app.prediction import Predictor
from fmmp.app.project import PROJECT_FILE, Project
from fmmp.app.server import Server, make_app
from fmmp.app.serving import listen, load_model

MEASURED = 'return performance.getEntriesByName("first prediction").map((e) => e.duration)'


def serve(folder: Folder, project: Project) -> tuple[str, Predictor]:
    """Serve a folder's page; its address, when the model is loaded, and its predictor."""
    predictor = Predictor(folder, project, lambda: load_model(None, None, 'cpu'), make_estimator)
    listener = listen('127.0.0.1', 0)
    server = Server(make_app(folder, project, predictor), predictor)
    threading.Thread(target=server.run, args=[[listener]], daemon=True).start()
    while predictor.status['state'] != 'ready':
        time.sleep(0.1)
    return f'http://127.0.0.1:{listener.getsockname()[1]}', predictor


def browser() -> webdriver.Chrome:
    """A headless Chromium."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which('chromium')
    for argument in ('headless=new', 'no-sandbox', 'disable-gpu', 'window-size=1280,800'):
        options.add_argument(f'--{argument}')
    return webdriver.Chrome(
        options=options, service=webdriver.ChromeService(shutil.which('chromedriver'))
    )


def measure(driver: webdriver.Chrome, predictor: Predictor, clicks: int) -> None:
    """Click, and print."""
    firsts = []
    for number in range(clicks + 1):
        asked = time.monotonic()
        driver.find_element(By.ID, 'predict').click()
        found = []
        while len(found) <= number:
            found = driver.execute_script(MEASURED)
            time.sleep(0.02)
        firsts.append(found[-1] / 1000)
        while number == 0 and predictor.status['state'] == 'running':
            time.sleep(0.02)
        if number == 0:
            total = predictor.status['total']
            print(f'all {total} others      {time.monotonic() - asked:6.2f} s')
        else:
            predictor.stop()
            time.sleep(0.5)
    print(f'first result        {firsts[0]:6.2f} s, the shot encoded too')
    rest = firsts[1:]
    print(f'                    {statistics.median(rest):6.2f} s, median of {len(rest)} '
          f'with the shot encoded ({min(rest):.2f} to {max(rest):.2f})')  # fmt: skip


def main() -> None:
    """Serve, click, measure."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--pictures', type=int, default=100)
    parser.add_argument('--clicks', type=int, default=9)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder, project = Folder(scratch), Project(Path(scratch, PROJECT_FILE))
        add_example('cat', folder, project, more=args.pictures - 4)
        address, predictor = serve(folder, project)
        driver = browser()
        try:
            driver.get(address)
            WebDriverWait(driver, 30).until(lambda d: d.find_elements(By.CLASS_NAME, 'item'))
            time.sleep(2)  # thumbnails
            measure(driver, predictor, args.clicks)
        finally:
            driver.quit()
            predictor.close()


if __name__ == '__main__':
    main()
