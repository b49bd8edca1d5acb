"""The documentation: the site builds, its links and references hold, and it is true to the code."""

import ast
import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from importlib.metadata import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest
from fmmp.datasets.photographs import read_photographs
from packaging.requirements import Requirement
from PIL import Image

from tests.tiny import ROOT

DOCS = ROOT / 'docs'
TEXTS = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted(DOCS.rglob('*.md'))]


def name(path):
    """Of a file, from the root of the repository."""
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    """The site's folder, and what building it printed."""
    if find_spec('zensical') is None:
        pytest.skip("the extra 'docs' is not installed")
    folder = tmp_path_factory.mktemp('site')
    shutil.copy(ROOT / 'zensical.toml', folder)
    shutil.copytree(DOCS, folder / 'docs')
    for package in ('fmmp', 'models', 'datasets'):
        (folder / package).symlink_to(ROOT / package)
    build = [sys.executable, '-m', 'zensical', 'build', '--strict']
    result = subprocess.run(build, cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (folder / 'site/index.html').exists()
    return folder / 'site', result.stdout + result.stderr


def test_the_site_builds_without_a_broken_link_anchor_or_reference(site):
    folder, printed = site
    pages = {page.relative_to(DOCS).with_suffix('') for page in DOCS.rglob('*.md')}
    built = {page.parent.relative_to(folder) for page in folder.rglob('index.html')}
    assert pages - {Path('index')} <= built
    assert not re.findall(r'(?m)^(?:griffe|.*[Ww]arning): .*', printed)


def test_a_page_of_the_site_loads_nothing_from_another_host(site):
    loads = r'<(?:script|img|link(?! rel="?canonical))[^>]+(?:src|href)="?(?:https?:)?//[^ >]+'
    sheets = r'(?:@import|url\()[\s"\']*(?:https?:)?//[^)]+'
    found = [
        (page.name, hit)
        for pattern, suffix in ((loads, '*.html'), (sheets, '*.css'))
        for page in site[0].rglob(suffix)
        for hit in re.findall(pattern, page.read_text(encoding='utf-8'))
    ]
    assert not found


def test_the_reference_has_every_public_name(site):
    for folder in ('fmmp/apis', 'fmmp/formats', 'models/ops', 'datasets'):
        package = folder.replace('/', '.')
        tree = ast.parse((ROOT / folder / '__init__.py').read_text())
        (public,) = (
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and node.targets[0].id == '__all__'
        )
        page = site[0] / 'api' / Path(folder).name / 'index.html'
        anchors = set(re.findall(r'id="([\w.]+)"', page.read_text(encoding='utf-8')))
        of_package = {anchor.rpartition('.')[2] for anchor in anchors if anchor.startswith(package)}
        assert set(public) <= of_package


def test_every_page_has_its_place_in_the_navigation():
    tomllib = pytest.importorskip('tomllib')  # Python 3.11

    def pages(entry):
        if isinstance(entry, str):
            yield entry
        else:
            for child in entry.values() if isinstance(entry, dict) else entry:
                yield from pages(child)

    settings = tomllib.loads((ROOT / 'zensical.toml').read_text(encoding='utf-8'))
    named = sorted(pages(settings['project']['nav']))
    assert named == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob('*.md'))


def test_the_workflow_that_publishes_installs_the_extra():
    workflow = (ROOT / '.github/workflows/docs.yml').read_text()
    asked = map(Requirement, metadata('fmmp').get_all('Requires-Dist'))
    extra = [one for one in asked if 'extra == "docs"' in str(one.marker)]
    assert extra
    assert all(f"'{one.name}{one.specifier}'" in workflow for one in extra)


@pytest.mark.parametrize('text', ['README.md', 'CONTRIBUTING.md'])
def test_the_links_of_the_repositorys_own_pages_hold(text):
    links = re.findall(r'\]\((?!https?:)([^)#]+)(?:#([^)]+))?\)', (ROOT / text).read_text())
    assert links
    for path, anchor in links:
        assert (ROOT / path).exists(), path
        if anchor:
            assert anchor in headings(ROOT / path), f'{path}#{anchor}'


def headings(page):
    """The anchors of a page, as the site and the repository's host make them."""
    titles = re.findall(r'(?m)^#+ (.+)$', page.read_text(encoding='utf-8'))
    return [re.sub(r'[^\w\- ]', '', title.lower()).replace(' ', '-') for title in titles]


ANCHOR = re.compile(r'`([\w/]+\.py)::([\w.]+)`')


@pytest.mark.parametrize(
    'text', [path for path in TEXTS if ANCHOR.search(path.read_text())], ids=name
)
def test_every_function_that_a_page_names_is_in_its_file(text):
    for file, function in ANCHOR.findall(text.read_text(encoding='utf-8')):
        body = ast.parse((ROOT / file).read_text(encoding='utf-8')).body
        for part in function.split('.'):
            defined = {node.name: node for node in body if hasattr(node, 'name')}
            assert part in defined, f'{file} defines no {function}'
            body = defined[part].body


def test_every_file_that_a_page_names_exists():
    folders = 'benchmarks|configs|datasets|fmmp|models|tests|tools'
    word = re.compile(rf'(?<![\w./-])(?:{folders})/[\w/.-]+\.(?:py|sh|json|ipynb)\b')
    found = {(file, name(text)) for text in TEXTS for file in word.findall(text.read_text())}
    assert len(found) > 50
    assert not [
        one for one in found if one[0] not in OF_THE_READER and not (ROOT / one[0]).exists()
    ]


OF_THE_READER = {'configs/mine/cups.py'}


def test_the_five_lines_of_the_readme_run(monkeypatch, tmp_path, capsys):
    (cat,) = read_photographs(size=128, more=1, names=['cat'])
    for file, view in zip(('cat', 'lion', 'tiger'), cat.views, strict=False):
        Image.fromarray(view.image).save(tmp_path / f'{file}.jpg')
    (tmp_path / 'cat.json').write_text(json.dumps({'keypoints': cat.views[0].keypoints.tolist()}))
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    monkeypatch.chdir(tmp_path)
    code = re.search(r'```python\n(.*?)```', (ROOT / 'README.md').read_text(), re.DOTALL)[1]
    exec(compile(code, 'README.md', 'exec'), {})
    assert capsys.readouterr().out.count('[') > 2


class Picture:
    """docs/flow.svg: its parts, which of them each imports, and the files that its steps name.

    A part is a package, or lists its modules as ``data-modules="PART: MODULE …"``.
    """

    def __init__(self):
        self.imports, self.files, self.parts = {}, [], {}
        for group in ElementTree.parse(DOCS / 'flow.svg').iter('{http://www.w3.org/2000/svg}g'):
            for part in group.get('data-packages', '').split():
                self.imports[part] = set(group.get('data-imports').split())
            if group.get('data-modules'):
                part, modules = group.get('data-modules').split(': ')
                self.parts |= dict.fromkeys(modules.split(), part)
            if group.get('data-file'):
                self.files.append(group.get('data-file'))

    def part(self, module):
        """The part that a module such as ``fmmp.models.layers.fgsa`` belongs to."""
        package = '.'.join(module.split('.')[: 1 if module.startswith('tools') else 2])
        return self.parts.get(package, package)


@pytest.fixture(scope='module')
def picture():
    return Picture()


def imported():
    """Pairs of modules of which the first imports the second or a name in it."""
    for folder in ('fmmp', 'models', 'datasets', 'tools'):
        for file in sorted((ROOT / folder).rglob('*.py')):
            inside = '' if folder in ('fmmp', 'tools') else 'fmmp.'
            module = inside + '.'.join(file.relative_to(ROOT).with_suffix('').parts)
            package = module.removesuffix('.__init__').rpartition('.')[0]
            if file.name == '__init__.py':
                package = module.removesuffix('.__init__')
            for node in ast.walk(ast.parse(file.read_text(encoding='utf-8'))):
                if isinstance(node, ast.Import):
                    targets = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    above = package.split('.')[: len(package.split('.')) - node.level + 1]
                    base = '.'.join([*(above if node.level else []), *filter(None, [node.module])])
                    targets = [f'{base}.{alias.name}' for alias in node.names]
                else:
                    continue
                yield from ((module, target) for target in targets if target.startswith('fmmp.'))


def test_imports_go_only_the_way_that_the_picture_draws(picture):
    against, drawn = defaultdict(list), set()
    for module, target in imported():
        here, there = picture.part(module), picture.part(target)
        if module in ('fmmp.__init__', 'fmmp._import_warnings') or here == there:
            continue
        drawn.add((here, there))
        if there not in picture.imports.get(here, ()):
            against[here, there].append(f'{module} imports {target}')
    assert not against
    assert {here for here, _ in drawn} == picture.imports.keys() - {'shared'}


def test_the_picture_has_no_circle(picture):
    left = {part: imports - {part} for part, imports in picture.imports.items()}
    while left:
        leaves = {part for part, imports in left.items() if not imports & left.keys()}
        assert leaves, f'a circle among {sorted(left)}'
        left = {part: imports for part, imports in left.items() if part not in leaves}


def test_the_files_that_the_picture_names_exist(picture):
    assert len(picture.files) > 10
    assert not [file for file in picture.files if not (ROOT / file).exists()]
