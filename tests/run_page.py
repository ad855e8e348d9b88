"""`python run_page.py PAGE` runs the Python blocks of a Markdown page, as its reader would.

Blocks marked `python` are run, in their order and with common names; those marked `py` only show
something. Prompts (`>>>`) are checked against what they print.
"""

import doctest
import re
import sys
import textwrap
from pathlib import Path

_BLOCK = re.compile(r"^ *```python\b[^\n]*\n(?P<code>.*?)^ *```", re.DOTALL | re.MULTILINE)


def blocks(page: Path) -> list[tuple[str, int]]:
    """The code of each block and the line on which it begins."""
    text = page.read_text(encoding="utf-8")
    return [
        (textwrap.dedent(found["code"]), text.count("\n", 0, found.start("code")))
        for found in _BLOCK.finditer(text)
    ]


def run(page: Path) -> int:
    """Runs the blocks; the number of examples that print something else than the page says."""
    names = {"__name__": "__main__"}
    failures = 0
    for code, line in blocks(page):
        if ">>>" in code:
            parser = doctest.DocTestParser()
            test = parser.get_doctest(code, names, page.name, str(page), line)
            runner = doctest.DocTestRunner(
                optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            )
            failures += runner.run(test, clear_globs=False).failed
            names |= test.globs
        else:
            exec(compile("\n" * line + code, str(page), "exec"), names)
    return failures


if __name__ == "__main__":
    sys.exit(min(run(Path(sys.argv[1])), 1))
