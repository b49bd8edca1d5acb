"""Scripts of one file: what they import of FMMP is put into them."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path


def inline_imports(script: Path, package: str) -> str:
    """A script's source, with the source of the modules of ``package`` in place of their imports.

    Args:
        script: it imports names from these modules at its top level. The modules import none of
            each other, and no two define the same name.
        package: such as ``fmmp``.
    """
    source = script.read_text(encoding='utf-8')
    lines = source.splitlines()
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.ImportFrom) and (node.module or '').split('.')[0] == package:
            lines[node.lineno - 1 : node.end_lineno] = ['', '', *_body(node.module)]
    return '\n'.join(lines) + '\n'


def _body(module: str) -> list[str]:
    """A module's lines, its docstring as a comment."""
    source = Path(find_spec(module).origin).read_text(encoding='utf-8')
    docstring, *_ = ast.parse(source).body
    comment = [f'# {module}: {docstring.value.value.splitlines()[0]}']
    return comment + source.splitlines()[docstring.end_lineno :]
