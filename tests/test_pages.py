"""Every Python block of the README and of the documentation runs, in the order of its page.

Blocks marked `python` are run; those marked `py` only show something. The blocks of a page share
their names. Prompts (`>>>`) are checked against what they print.
"""

import doctest
import re
import textwrap
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
BLOCK = re.compile(
    r"^(?P<indent> *)```python\b[^\n]*\n(?P<code>.*?)^ *```", re.DOTALL | re.MULTILINE
)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PAGES = [
    "README.md",
    *sorted(page.relative_to(CHECKOUT).as_posix() for page in CHECKOUT.glob("docs/**/*.md")),
]


def blocks(page: str) -> list[tuple[str, int]]:
    """The code of each block and the line on which it begins."""
    text = (CHECKOUT / page).read_text(encoding="utf-8")
    return [
        (textwrap.dedent(found["code"]), text.count("\n", 0, found.start("code")))
        for found in BLOCK.finditer(text)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)])
def test_page(page, float32, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for code, line in blocks(page):
        if ">>>" in code:
            check(code, names, page, line)
        else:
            exec(compile("\n" * line + code, page, "exec"), names)


def check(code: str, names: dict, page: str, line: int) -> None:
    """Runs a block with prompts, and compares what it prints."""
    test = doctest.DocTestParser().get_doctest(code, names, page, page, line)
    report = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    runner.run(test, out=report.append, clear_globs=False)
    names |= test.globs
    assert runner.failures == 0, "".join(report)
