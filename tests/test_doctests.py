"""Every example in a docstring runs, and prints what it says.

The docstrings are read from the source, since decorators hide some from the finder of `doctest`.
An example sees nothing but what it imports, and JAX's default 32-bit precision: it can be copied.
"""

import ast
import doctest
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

PARSER = doctest.DocTestParser()
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SOURCE = Path(importlib.util.find_spec("neurojax").submodule_search_locations[0])


def examples() -> list[doctest.DocTest]:
    """One test for each docstring that has a prompt."""
    tests = []
    for file in sorted(SOURCE.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if ">>>" not in text:
            continue
        module = ".".join(file.relative_to(SOURCE.parent).with_suffix("").parts)
        for name, docstring, line in docstrings(ast.parse(text), module):
            test = PARSER.get_doctest(docstring, {}, name, str(file), line)
            if test.examples:
                tests.append(test)
    return tests


def docstrings(node: ast.AST, path: str) -> Iterator[tuple[str, str, int]]:
    """The full name, the docstring and its line, for `node` and everything defined in it."""
    if (docstring := ast.get_docstring(node)) is not None:
        yield path, docstring, node.body[0].lineno
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            yield from docstrings(child, f"{path}.{child.name}")


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)
def test_example(example, float32, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    runner.run(example, out=report.append)
    assert runner.failures == 0, "".join(report)
