"""The Python blocks of the README and of the documentation run, each page in a new interpreter."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import neurojax

CHECKOUT = Path(__file__).parents[1]
RUN_PAGE = Path(__file__).with_name("run_page.py")
PAGES = ["README.md", *(p.relative_to(CHECKOUT).as_posix() for p in CHECKOUT.glob("docs/**/*.md"))]


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", sorted(page for page in PAGES if "```python" in (CHECKOUT / page).read_text("utf-8"))
)
def test_page(page, tmp_path):
    path = os.pathsep.join(
        [str(Path(neurojax.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    )
    result = subprocess.run(
        [sys.executable, str(RUN_PAGE), str(CHECKOUT / page)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
