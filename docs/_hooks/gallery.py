"""Shows each notebook (`notebooks/*.py`, percent format) as a page of the gallery.

Where an executed copy lies beside it (`jupytext --to ipynb --execute notebooks/<name>.py`), the
page has its outputs and pictures as well.
"""

import base64
from pathlib import Path

import jupytext
import nbformat
from mkdocs.structure.files import File

SOURCE = Path(__file__).parents[2] / "notebooks"
INDEX = "gallery/index.md"


def on_config(config):
    """Puts the pages below the entry `Gallery` of the navigation."""
    for entry in config.nav:
        if entry.get("Gallery") == INDEX:
            entry["Gallery"] = [INDEX, *(_uri(file) for file in _notebooks())]
    return config


def on_files(files, config):
    """Adds the pages, and their pictures, to the files of the site."""
    lines = ["# Gallery", ""]
    for file in _notebooks():
        notebook = _read(file)
        text, pictures = _page(file.stem, notebook)
        files.append(File.generated(config, _uri(file), content=text))
        for name, content in pictures.items():
            files.append(File.generated(config, f"gallery/{name}", content=content))
        lines.append(f"- [{_title(notebook)}]({file.stem}.md)")
    files.append(File.generated(config, INDEX, content="\n".join(lines) + "\n"))
    return files


def _notebooks() -> list[Path]:
    return sorted(SOURCE.glob("*.py"))


def _uri(file: Path) -> str:
    return f"gallery/{file.stem}.md"


def _read(file: Path):
    executed = file.with_suffix(".ipynb")
    if executed.exists():
        return nbformat.read(executed, as_version=4)
    return jupytext.read(file)


def _title(notebook) -> str:
    for cell in notebook.cells:
        for line in cell.source.splitlines():
            if cell.cell_type == "markdown" and line.startswith("# "):
                return line.removeprefix("# ")
    raise ValueError("a notebook has no title: begin it with a Markdown cell '# Title'")


def _page(stem: str, notebook) -> tuple[str, dict[str, bytes]]:
    """The page as Markdown, and its pictures by file name."""
    parts, pictures = [], {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif cell.cell_type == "code":
            parts.append(f"```python\n{cell.source}\n```")
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "image/png" in data:
                name = f"{stem}-{len(pictures)}.png"
                pictures[name] = base64.b64decode(data["image/png"])
                parts.append(f"![]({name})")
            else:
                text = output.get("text") or data.get("text/plain") or ""
                parts.append(f"```text\n{text.rstrip()}\n```")
    return "\n\n".join(parts) + "\n", pictures
