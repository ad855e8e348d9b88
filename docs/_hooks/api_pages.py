"""Writes one API page for each public package of neurojax, from its `__init__.py`.

A new public name appears by itself: the pages are made from the source at every build, without
importing it. `pages` is tested against the imported package.
"""

import ast
from pathlib import Path

from mkdocs.structure.files import File

SOURCE = Path(__file__).parents[2] / "neurojax"
INDEX = "api/index.md"


def on_config(config):
    """Puts the pages below the entry `API` of the navigation."""
    for entry in config.nav:
        if entry.get("API") == INDEX:
            entry["API"] = [{Path(uri).stem: uri} if uri != INDEX else uri for uri in pages()]
    return config


def on_files(files, config):
    """Adds the pages to the files of the site."""
    for uri, text in pages().items():
        files.append(File.generated(config, uri, content=text))
    return files


def pages(source: Path = SOURCE) -> dict[str, str]:
    """The pages by their place in the site: `api/index.md` and `api/<package>.md`."""
    packages = {name: names for name, names in _packages(source).items() if names}
    result = {INDEX: _index(source, packages)}
    for name, public in packages.items():
        result[f"api/{name}.md"] = _page(f"{source.name}.{name}", public)
    return result


def public_names(file: Path) -> list[str]:
    """The public names of a Python file, read without running it.

    They are those in `__all__`; without one, those imported under their own name (`A as A`).
    """
    names = []
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                return list(ast.literal_eval(value))
            case ast.ImportFrom(names=aliases):
                names += [a.name for a in aliases if a.asname == a.name]
    return names


def _packages(source: Path) -> dict[str, list[str]]:
    """Each public package or module one level below the top, with its public names."""
    files = {file.parent.name: file for file in source.glob("*/__init__.py")}
    files |= {file.stem: file for file in source.glob("*.py")}
    return {
        name: public_names(file) for name, file in sorted(files.items()) if not name.startswith("_")
    }


def _page(path: str, names: list[str]) -> str:
    options = ("members", "show_root_heading", "show_root_toc_entry")
    docstring = "\n".join([f"::: {path}", "    options:", *(f"      {o}: false" for o in options)])
    head = [f"# {path}", docstring]
    return "\n\n".join([*head, *(f"::: {path}.{name}" for name in names)]) + "\n"


def _index(source: Path, packages: dict[str, list[str]]) -> str:
    lines = ["# API", "", "| package | what it holds |", "| --- | --- |"]
    lines += [f"| [{name}]({name}.md) | {_summary(source, name)} |" for name in packages]
    top = [name for name in public_names(source / "__init__.py") if name not in packages]
    homes = {name: home for home, names in packages.items() for name in names}
    known = sorted((name for name in top if name in homes), key=str.lower)
    if known:
        lines += ["", "## Names at the top", "", f"After `import {source.name} as nj`:", ""]
        lines += [f"- [`nj.{name}`][{source.name}.{homes[name]}.{name}]" for name in known]
    orphans = [name for name in top if name not in homes and not name.startswith("__")]
    for name in orphans:
        lines += ["", f"::: {source.name}.{name}"]
    return "\n".join(lines) + "\n"


def _summary(source: Path, name: str) -> str:
    folder = source / name
    file = folder / "__init__.py" if folder.is_dir() else source / f"{name}.py"
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]
