"""A page whose tables and figures are made from evidence.

Whatever stands between the two comments is made anew:

    <!-- evidence: results/benchmark.json | base; + mixup padding | against: above -->
    <!-- end -->

Rows are named in order, those of the floors too; `against` is the row whose scores are subtracted,
or `above`, the row above. A figure of the same rows stands below the table if `figure: FILE` asks.
"""

from __future__ import annotations

import re
from pathlib import Path

from fmmp.errors import InputError
from fmmp.files import atomic_path

from .evidence import Estimate, Evidence, difference, estimate, read_evidence
from .tables import format_table

BLOCK = re.compile(r'(<!-- evidence: (.*?) -->\n).*?(<!-- end -->)', re.DOTALL)
COLUMNS = ('PCK@0.05', 'PCK@0.2', 'mPCK')


def fill_page(page: str | Path) -> None:
    """Make a page's tables and figures anew from the files that it names.

    Raises:
        InputError: the page holds no such comment, or one that cannot be read or names a row that
            there is not.
    """
    page = Path(page)
    text = page.read_text()
    if not BLOCK.search(text):
        raise InputError(f'{page}: holds no <!-- evidence: … --> … <!-- end -->')
    filled = BLOCK.sub(lambda match: match[1] + _block(match[2], page.parent) + match[3], text)
    with atomic_path(page) as scratch:
        scratch.write_text(filled)


def _block(request: str, folder: Path) -> str:
    file, *others = (part.strip() for part in request.split('|'))
    rows, options = (others[0], others[1:]) if others else ('', [])
    settings = dict(option.partition(': ')[::2] for option in options)
    if not rows or not settings.keys() <= {'against', 'figure'}:
        raise InputError(
            f'<!-- evidence: {request} -->: expected FILE | ROW; ROW, '
            "and if wanted '| against: ROW' and '| figure: FILE'"
        )
    evidence = read_evidence(folder / file)
    names = [name.strip() for name in rows.split(';')]
    text = '\n' + table(evidence, names, settings.get('against')) + '\n\n'
    if 'figure' in settings:
        draw(evidence, names, folder / settings['figure'])
        text += f'![mPCK of each row, with its interval]({settings["figure"]})\n\n'
    return text


def table(evidence: Evidence, rows: list[str], against: str | None = None) -> str:
    """A table of scores, in percent, with intervals (`evidence.estimate`).

    Args:
        evidence: whose.
        rows: names of its rows and floors.
        against: a row whose mPCK is subtracted from the others', or ``above``.
    """
    header = ['', 'seeds', *COLUMNS] + (['more than the row above'] if against == 'above' else [])
    if against not in (None, 'above'):
        header.append(f'more than {against}')
    body = []
    for number, row in enumerate(rows):
        if row in evidence.floors:
            cells = [f'{evidence.floors[row][metric].mean():.1f}' for metric in COLUMNS]
            body.append([row, '–', *cells, *['–'] * (against is not None)])
            continue
        estimates = [estimate(evidence.of(row, metric)) for metric in COLUMNS]
        cells = [row, str(len(evidence.scores[row])), *map(_interval, estimates)]
        if against is not None:
            other = rows[number - 1] if against == 'above' and number else against
            if other in (row, 'above') or other in evidence.floors:
                cells.append('–')
            else:
                apart = difference(evidence, row, other, 'mPCK')
                cells.append('–' if apart is None else _interval(apart, sign='+'))
        body.append(cells)
    return format_table(header, body, 'markdown')


def _interval(value: Estimate, sign: str = '') -> str:
    return f'{value.mean:{sign}.1f} ± {value.half_width:.1f}'


def draw(evidence: Evidence, rows: list[str], path: Path) -> None:
    """Draw each row's mPCK with its interval, and the floors as lines, as an SVG."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    trained = [row for row in rows if row in evidence.scores]
    figure = Figure(figsize=(7, 0.6 + 0.35 * len(trained)), layout='tight')
    axes = figure.subplots()
    for row in rows:
        if row in evidence.floors:
            axes.axvline(evidence.floors[row]['mPCK'].mean(), color='grey', linestyle=':')
    for height, row in enumerate(reversed(trained)):
        value = estimate(evidence.of(row, 'mPCK'))
        axes.errorbar(value.mean, height, xerr=value.half_width, fmt='o', color='C0', capsize=3)
    axes.set_yticks(range(len(trained)), trained[::-1])
    axes.set_xlabel('mPCK; dotted: what needs no training')
    with rc_context({'svg.hashsalt': 'fmmp'}), atomic_path(path) as scratch:
        figure.savefig(scratch, format='svg', metadata={'Date': None})
