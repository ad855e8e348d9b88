"""Every notebook runs from top to bottom, in a kernel of its own."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"


@pytest.mark.notebook
@pytest.mark.slow
@pytest.mark.parametrize("notebook", sorted(file.name for file in FOLDER.glob("*.py")))
def test_notebook(notebook, tmp_path):
    jupytext = pytest.importorskip("jupytext", reason="needs the extra 'docs'")
    nbclient = pytest.importorskip("nbclient", reason="needs the extra 'docs'")
    pages = jupytext.read(FOLDER / notebook)
    client = nbclient.NotebookClient(
        pages, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()  # raises CellExecutionError at the first cell that fails
    assert any(cell.get("outputs") for cell in pages.cells)
