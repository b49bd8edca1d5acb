"""MP-100 made ready: its annotation files unified, its images linked, checked and shown.

`tools/dataset/mp100.py` is the command over these functions. Each module does one step: `unify`,
`prepare`, `check`, `stats`, `show`, `convert`.
"""
