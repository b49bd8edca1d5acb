"""The result as a page of Markdown."""

from __future__ import annotations


def format_page(result: dict) -> str:
    """A page of a result: the machine, the steps, and each one's table."""
    machine = result['machine']
    lines = [f'# FMMP on {machine.get("name", result["device"])}', '', result['started'], '']
    if machine:
        lines += [*table([{'': key, ' ': value} for key, value in machine.items()]), '']
    overview = [
        {'step': step['title'], 'outcome': step['status'], 'seconds': step.get('seconds', '')}
        for step in result['steps']
    ]
    lines += table(overview)
    for step in result['steps']:
        if step['name'] == 'machine' and step['status'] == 'passed':
            continue
        if step['rows'] or step.get('output'):
            lines += ['', f'## {step["title"]}: {step["status"]}', '']
        if step['rows']:
            lines += table(step['rows'])
        if step.get('output'):
            lines += ['', '```', step['output'].strip().replace('```', "'''"), '```']
    return '\n'.join(lines) + '\n'


def table(rows: list[dict]) -> list[str]:
    """Lines of a table whose columns are all the rows' keys; what failed is the last."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    columns.sort(key=lambda name: name in ('note', 'failed'))
    lines = ['| ' + ' | '.join(columns) + ' |', '|' + ' --- |' * len(columns)]
    for row in rows:
        lines.append('| ' + ' | '.join(cell(row.get(name, '')) for name in columns) + ' |')
    return lines


def cell(value: object) -> str:
    """A value in a table; numbers have three digits that count."""
    if value is None:
        return ''
    if isinstance(value, float):
        value = f'{value:.0f}' if 1000 <= abs(value) < 1e7 else f'{value:.3g}'
    return ' '.join(str(value).replace('|', '\\|').split())
