"""Every example in a docstring runs, and prints what it says.

The docstrings are read from the source, since decorators hide some from the finder of `doctest`.
As usual an example sees the names of its module. It runs in JAX's default 32-bit precision, as it
would for a user.
"""

import ast
import doctest
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

PARSER = doctest.DocTestParser()
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SOURCE = Path(importlib.util.find_spec("neurojax").submodule_search_locations[0])


def examples() -> list[tuple[str, doctest.DocTest]]:
    """The module and the test for each docstring that has a prompt."""
    tests = []
    for file in sorted(SOURCE.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if ">>>" not in text:
            continue
        module = ".".join(file.relative_to(SOURCE.parent).with_suffix("").parts)
        module = module.removesuffix(".__init__")
        for name, docstring, line in docstrings(ast.parse(text), module):
            test = PARSER.get_doctest(docstring, {}, name, str(file), line)
            if test.examples:
                tests.append((module, test))
    return tests


def docstrings(node: ast.AST, path: str) -> Iterator[tuple[str, str, int]]:
    """The full name, the docstring and its line, for `node` and everything defined in it."""
    if (docstring := ast.get_docstring(node)) is not None:
        yield path, docstring, node.body[0].lineno
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            yield from docstrings(child, f"{path}.{child.name}")


@pytest.mark.parametrize(
    ("module", "example"), [pytest.param(*found, id=found[1].name) for found in examples()]
)
def test_example(module, example, float32, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example.globs = dict(vars(importlib.import_module(module)))
    report = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    runner.run(example, out=report.append)
    assert runner.failures == 0, "".join(report)
