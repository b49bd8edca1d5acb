"""The page in a browser: what a person does from an own folder to an exported data set."""

import json
import shutil
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from fmmp.datasets.photographs import read_photographs

pytest.importorskip('selenium')
pytest.importorskip('skimage')

from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from fmmp.app.__main__ import make_estimator
from fmmp.app.folder import Folder
from fmmp.app.prediction import Predictor
from fmmp.app.project import Project
from fmmp.app.server import Server, make_app
from fmmp.app.serving import listen, load_model
from fmmp.files import PROJECT_FILE

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')
DRIVER = shutil.which('chromedriver')
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason='no browser: apt install chromium chromium-driver'
)
HOSTILE = '<img src=x onerror="window.hostile=1">.png'
NAMES = ['cat_1.png', 'cat_2.png', 'cat_3.png', 'cat_4.png']


@pytest.fixture(scope='module')
def model():
    return load_model(None, None, 'cpu')


@pytest.fixture(scope='module')
def cat():
    (kind,) = read_photographs(size=256, names=['cat'])
    return kind


@pytest.fixture
def folder(tmp_path, cat):
    """Four photographs, one of them under a hostile name, too, and a broken one."""
    folder = tmp_path / 'cats'
    folder.mkdir()
    for name, view in zip([*NAMES, HOSTILE], [*cat.views, cat.views[1]], strict=True):
        Image.fromarray(view.image).save(folder / name)
    (folder / 'broken.png').write_bytes((folder / 'cat_1.png').read_bytes()[:5000])
    (tmp_path / 'outside.png').write_bytes((folder / 'cat_1.png').read_bytes())
    return folder


@contextmanager
def serve(root, model=None, port=0, token=None):
    """Serve a folder's page, which predicts if it has a model; gives its address."""
    folder, project = Folder(root), Project(root / PROJECT_FILE)
    predictor = Predictor(folder, project, lambda: model, make_estimator)
    listener = listen('127.0.0.1', port)
    server = Server(make_app(folder, project, predictor, token), predictor)
    thread = threading.Thread(target=server.run, args=[[listener]], daemon=True)
    thread.start()
    try:
        yield f'http://127.0.0.1:{listener.getsockname()[1]}'
    finally:
        server.should_exit = True
        thread.join(10)


def start(options, attempts=3):
    """A browser; skips where there is one that does not start, as on a machine too busy for it."""
    for _ in range(attempts):
        try:
            return webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
        except WebDriverException as error:
            reason = error
    pytest.skip(f'the browser does not start: {reason}')


@pytest.fixture(scope='module')
def driver():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ('headless=new', 'no-sandbox', 'disable-gpu', 'disable-dev-shm-usage'):
        options.add_argument(f'--{argument}')
    options.add_argument('--window-size=1280,900')
    driver = start(options)
    yield driver
    driver.quit()


class Screen:
    """What a person sees and does."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, address):
        self.driver.get(address)
        self.wait('.item')

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector):
        """What elements say, all at one moment."""
        return self.driver.execute_script(
            'return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)',
            selector,
        )

    def wait(self, selector, seconds=20):
        return WebDriverWait(self.driver, seconds).until(lambda _: self.all(selector))[0]

    def until(self, holds, seconds=20):
        WebDriverWait(self.driver, seconds).until(lambda _: holds())

    def choose(self, name):
        next(e for e in self.all('.item') if e.get_attribute('data-name') == name).click()
        self.until(lambda: self.one('#stage').get_attribute('aria-label') == f'Picture {name}')
        self.until(lambda: self.one('#picture').get_property('naturalWidth') == 256)
        self.drawn()  # in its place, before it is clicked on

    def press(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def press_with(self, held, key):
        ActionChains(self.driver).key_down(held).send_keys(key).key_up(held).perform()

    def at(self, x, y):
        """Where a picture's pixel is, from the stage's middle."""
        left, top, scale = self.driver.execute_script(
            'const r = document.getElementById("picture").getBoundingClientRect(),'
            's = document.getElementById("stage").getBoundingClientRect();'
            'return [r.left - s.left - s.width / 2, r.top - s.top - s.height / 2,'
            'r.width / document.getElementById("picture").width]'
        )
        return round(left + scale * x), round(top + scale * y)

    def click(self, x, y):
        stage = self.one('#stage')
        ActionChains(self.driver, 20).move_to_element_with_offset(
            stage, *self.at(x, y)
        ).click().perform()

    def drag(self, start, end):
        stage = self.one('#stage')
        (x, y), (to_x, to_y) = self.at(*start), self.at(*end)
        ActionChains(self.driver, 20).move_to_element_with_offset(
            stage, x, y
        ).click_and_hold().move_by_offset(to_x - x, to_y - y).release().perform()

    def drawn(self):
        self.driver.execute_async_script(
            'const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))'
        )

    def saved(self):
        self.drawn()  # what was done, which is being sent
        self.until(lambda: self.texts('#saved') == ['Saved'])

    def group(self, name):
        """The names of the pictures below a heading of the list."""
        return self.driver.execute_script(
            """
            const names = [];
            let inside = false;
            for (const child of document.getElementById('list').children) {
              if (child.matches('h2')) inside = child.textContent.startsWith(arguments[0]);
              else if (inside) names.push(child.dataset.name);
            }
            return names""",
            name,
        )


@pytest.fixture
def screen(driver):
    return Screen(driver)


def read(folder):
    return json.loads((folder / PROJECT_FILE).read_text())


def test_from_an_own_folder_to_an_exported_data_set(screen, folder, model, cat, tmp_path):
    with serve(folder, model) as address:
        screen.open(address)
        screen.choose('cat_1.png')
        truth = cat.views[0].keypoints[:5]

        for x, y in truth:
            screen.click(x, y)
        screen.until(lambda: len(screen.all('#keypoints li')) == 5)
        screen.press('n')
        screen.one('#keypoints li:last-child input').send_keys('last', Keys.ENTER)
        screen.press(Keys.ESCAPE, 'l')
        for number in (0, 1, 2):
            screen.click(*truth[number])
        screen.press(Keys.ESCAPE)
        screen.saved()
        project = read(folder)
        ids = [keypoint['id'] for keypoint in project['keypoints']]
        assert project['links'] == [[ids[0], ids[1]], [ids[1], ids[2]]]
        assert project['keypoints'][4]['name'] == 'last'
        points = project['pictures']['cat_1.png']['points']
        clicked = np.array([[points[id_]['x'], points[id_]['y']] for id_ in ids])
        assert np.abs(clicked - truth).max() < 1

        screen.press('p')
        screen.until(lambda: len(screen.group('To check')) == 4)
        screen.until(lambda: screen.texts('#predict-text') == ['Predict'])  # all is saved
        assert screen.group('Examples') == ['cat_1.png']
        assert screen.group('Not readable') == ['broken.png']
        screen.saved()
        percents = [float(text.split()[0]) for text in screen.texts('.item .state') if '%' in text]
        assert len(percents) == 4 and percents == sorted(percents)
        current = screen.group('To check')[0]
        screen.choose(current)

        found = read(folder)['pictures'][current]['points'][ids[2]]
        start = found['x'], found['y']
        end = 128.0, 128.0
        screen.drag(start, end)
        screen.saved()
        corrected = read(folder)['pictures'][current]
        assert abs(corrected['points'][ids[2]]['x'] - end[0]) < 1
        assert 'confidence' not in corrected['points'][ids[2]]
        assert corrected['shot']
        screen.until(lambda: current in screen.group('Examples'))
        screen.press_with(Keys.CONTROL, 'z')
        screen.saved()
        assert read(folder)['pictures'][current]['points'][ids[2]] == found
        screen.until(lambda: current not in screen.group('Examples'))
        screen.press_with(Keys.CONTROL, 'y')
        screen.saved()
        assert read(folder)['pictures'][current] == corrected

        screen.driver.execute_cdp_cmd(
            'Browser.setDownloadBehavior', {'behavior': 'allow', 'downloadPath': str(tmp_path)}
        )
        screen.press('x')
        screen.wait('#formats input[value=coco]').click()
        screen.one('#download').click()
        exported = tmp_path / 'keypoints.json'
        screen.until(exported.exists)
        content = json.loads(exported.read_text())
        assert {image['file_name'] for image in content['images']} == {'cat_1.png', current}
        assert content['categories'][0]['skeleton'] == [[1, 2], [2, 3]]

        screen.open(address)  # again
        screen.until(lambda: len(screen.group('Examples')) == 2)
        before = read(folder)
        screen.press(Keys.ENTER)
        screen.saved()
    with serve(folder, model) as address:  # another server, after the first has ended
        screen.open(address)
        screen.until(lambda: len(screen.group('Examples')) == 2)
        screen.choose('cat_1.png')
        screen.until(lambda: len(screen.all('.keypoint')) == 5 and len(screen.all('.link')) == 4)
        after = read(folder)
        assert before['keypoints'] == after['keypoints']
        assert before['pictures']['cat_1.png'] == after['pictures']['cat_1.png']


def test_a_hostile_name_is_text_and_a_path_outside_is_refused(screen, folder, model):
    with serve(folder, model) as address:
        screen.open(address)
        assert HOSTILE in screen.texts('.item .name')
        screen.choose(HOSTILE)
        assert screen.driver.execute_script('return window.hostile') is None
        answer = screen.driver.execute_async_script(
            'fetch("/api/picture?name=" + encodeURIComponent("../outside.png"))'
            '.then((a) => arguments[0](a.status))'
        )
        assert answer == 404


def test_pictures_are_added_from_the_browser_and_what_is_none_is_named(
    screen, folder, model, tmp_path
):
    (tmp_path / 'text.jpg').write_text('no picture')
    with serve(folder, model) as address:
        screen.open(address)
        screen.one('#files').send_keys(f'{tmp_path / "outside.png"}\n{tmp_path / "text.jpg"}')
        screen.until(lambda: 'outside.png' in screen.texts('.item .name'))
        screen.wait('#messages p')
        assert 'text.jpg: not a readable picture' in screen.texts('#messages p')[0]
        assert (folder / 'outside.png').is_file() and not (folder / 'text.jpg').exists()


def test_everything_can_be_done_by_the_keyboard(screen, folder, model):
    with serve(folder, model) as address:
        screen.open(address)
        screen.choose('cat_1.png')
        screen.driver.execute_script('document.getElementById("stage").focus()')
        scale = screen.driver.execute_script(
            'return document.getElementById("picture").getBoundingClientRect().width / 256'
        )
        screen.press(' ')  # in the middle of the view
        screen.press(Keys.ARROW_RIGHT * 5)
        screen.press_with(Keys.SHIFT, Keys.ARROW_DOWN)
        screen.press(Keys.ESCAPE, ' ', 'h')
        screen.press('l')
        screen.press_with(Keys.SHIFT, Keys.TAB)
        screen.press('l', Keys.ESCAPE, Keys.ESCAPE, Keys.PAGE_DOWN)
        screen.saved()
        project = read(folder)
        points = list(project['pictures']['cat_1.png']['points'].values())
        assert points[0]['x'] - points[1]['x'] == pytest.approx(5 / scale, abs=0.1)
        assert points[0]['y'] - points[1]['y'] == pytest.approx(10 / scale, abs=0.1)
        assert points[1]['hidden'] and not points[0]['hidden']
        assert len(project['links']) == 1
        assert screen.one('.item.current').get_attribute('data-name') == 'cat_2.png'
        screen.press('p')
        screen.until(lambda: len(screen.group('To check')) == 4)
        screen.press('5')
        screen.until(lambda: screen.all('#marks .sample') and screen.all('#samples .sample'))
        assert screen.texts('#samples figcaption') == ['★ cat_1.png']
        hidden, shown = screen.all('#keypoints .badge')[::-1]
        hidden.click()  # of which no example shows anything
        screen.until(lambda: not screen.all('.sample'))
        shown.click()
        screen.until(lambda: screen.all('#marks .sample'))
        screen.press('5')
        screen.until(lambda: not screen.all('.sample'))


def write_project(folder, name):
    """A project of one keypoint, labelled in a picture and predicted in another."""
    project = Project(folder / PROJECT_FILE)
    point = {'x': 100, 'y': 100}
    labelled = {'points': {'k1': point}, 'checked': True, 'shot': True}
    predicted = {'points': {'k1': {**point, 'confidence': 0.5}}}
    pictures = {name: labelled, 'cat_2.png': predicted}
    project.change({'keypoints': [{'id': 'k1', 'name': 'nose'}], 'pictures': pictures})
    project.save()


def test_a_name_is_typed_as_text_once_others_are_predicted(screen, folder):
    write_project(folder, 'cat_1.png')
    before = read(folder)
    with serve(folder) as address:
        screen.open(address)
        screen.choose('cat_1.png')
        assert len(screen.all('#keypoints .more')) == 1
        name = screen.one('#keypoints li input')
        name.click()
        screen.saved()
        screen.press_with(Keys.CONTROL, 'a')
        screen.press(*'hex ', Keys.BACKSPACE)  # elsewhere, keys of their own
        screen.saved()
        assert name.get_property('value') == 'hex'
        screen.press(Keys.TAB)
        screen.saved()
        assert not screen.all('dialog[open]')
        before['keypoints'][0]['name'] = 'hex'
        assert read(folder) == before


def test_a_page_of_another_folder_says_so_and_waits_for_its_own(screen, folder, tmp_path):
    other = tmp_path / 'others'
    shutil.copytree(folder, other)
    with serve(folder) as address:
        screen.open(address)
        screen.choose('cat_1.png')
    port = int(address.rpartition(':')[2])
    with serve(other, port=port):
        screen.until(lambda: 'another folder' in screen.texts('#saved')[0])
        screen.click(100, 100)
        screen.until(lambda: len(screen.all('#keypoints li')) == 1)
        assert 'another folder' in screen.texts('#saved')[0]
    assert not (other / PROJECT_FILE).exists() and not (folder / PROJECT_FILE).exists()
    with serve(folder, port=port):
        screen.saved()
    assert len(read(folder)['pictures']['cat_1.png']['points']) == 1


def test_labels_wait_where_the_server_was_started_anew_with_another_token(screen, folder):
    with serve(folder, token='one') as address:
        screen.open(f'{address}/?token=one')
        screen.choose('cat_1.png')
    port = int(address.rpartition(':')[2])
    with serve(folder, port=port, token='two'):
        screen.click(100, 100)
        screen.until(lambda: 'Not saved' in screen.texts('#saved')[0])
    with serve(folder, port=port, token='one'):
        screen.saved()
    assert len(read(folder)['pictures']['cat_1.png']['points']) == 1


def test_a_download_has_its_pictures_name_in_any_script(screen, folder, tmp_path):
    (folder / 'cat_1.png').rename(folder / '猫.png')
    write_project(folder, '猫.png')
    with serve(folder) as address:
        screen.open(address)
        screen.driver.execute_cdp_cmd(
            'Browser.setDownloadBehavior', {'behavior': 'allow', 'downloadPath': str(tmp_path)}
        )
        screen.press('x')
        screen.wait('#formats input[value=labelme]').click()
        screen.one('#download').click()
        screen.until((tmp_path / '猫.json').exists)
