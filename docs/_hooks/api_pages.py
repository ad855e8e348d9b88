"""Writes one API page for each public package and module of neurojax, from the source.

A new public name appears by itself: the pages are made at every build, without importing anything.
`pages` is tested against the imported package.
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
            entry["API"] = [INDEX, *({name: _uri(name)} for name in _places(SOURCE))]
    return config


def on_files(files, config):
    """Adds the pages to the files of the site."""
    for uri, text in pages().items():
        files.append(File.generated(config, uri, content=text))
    return files


def pages(source: Path = SOURCE) -> dict[str, str]:
    """The pages by their place in the site: `api/index.md` and `api/<name>.md`."""
    places = _places(source)
    result = {INDEX: _index(source, places)}
    for name, file in places.items():
        result[_uri(name)] = _page(f"{source.name}.{name}", file)
    return result


def _places(source: Path) -> dict[str, Path]:
    """Where users find names: each public package below the top, and its public modules."""
    places = {}
    for file in source.glob("*/__init__.py"):
        name = file.parent.name
        if not name.startswith("_") and _public_names(file):
            places[name] = file
            places |= {f"{name}.{m}": _module(file.parent, m) for m in _public_modules(file)}
    return dict(sorted(places.items()))


def _module(folder: Path, name: str) -> Path:
    package = folder / name / "__init__.py"
    return package if package.exists() else folder / f"{name}.py"


def _public_modules(file: Path) -> list[str]:
    """The modules among the public names: those that `from . import name` brings."""
    imported = {
        alias.asname or alias.name
        for node in _tree(file).body
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module is None
        for alias in node.names
    }
    return [name for name in _public_names(file) if name in imported]


def _public_names(file: Path) -> list[str]:
    """`__all__`; for a module without one, the classes and functions that it defines."""
    defined = []
    for node in _tree(file).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                return list(ast.literal_eval(value))
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                defined.append(name)
    return [name for name in defined if not name.startswith("_")]


def _page(path: str, file: Path) -> str:
    options = ("members", "show_root_heading", "show_root_toc_entry")
    docstring = "\n".join([f"::: {path}", "    options:", *(f"      {o}: false" for o in options)])
    modules = _public_modules(file)
    links = [f"- [{path}.{m}]({path.rpartition('.')[2]}.{m}.md)" for m in modules]
    names = [f"::: {_target(path, n, file)}" for n in _public_names(file) if n not in modules]
    return "\n\n".join([f"# {path}", docstring, "\n".join(links), *names]) + "\n"


def _index(source: Path, places: dict[str, Path]) -> str:
    lines = ["# API", "", "| package or module | what it holds |", "| --- | --- |"]
    lines += [f"| [{name}]({name}.md) | {_summary(file)} |" for name, file in places.items()]
    lines += ["", "## Names at the top", "", f"After `import {source.name} as nj`:", ""]
    pages = {place.rpartition(".")[2]: f"({place}.md)" for place in places}
    top = source / "__init__.py"
    links = {
        name: f"[{_target(f'{source.name}.{home}', name, places[home])}]"
        for name, home in _homes(top).items()
        if home in places
    } | pages
    names = sorted(set(_public_names(top)) & set(links), key=str.lower)
    lines += [f"- [`nj.{name}`]{links[name]}" for name in names]
    return "\n".join(lines) + "\n"


def _target(path: str, name: str, file: Path) -> str:
    """What mkdocstrings is asked for: the name itself, not a module of the same name beside it."""
    return f"{path}.{name}.{name}" if _homes(file).get(name) == name else f"{path}.{name}"


def _homes(file: Path) -> dict[str, str]:
    """The module from which a file imports each name, also where only a type checker does."""
    return {
        alias.name: node.module.rpartition(".")[2]
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        if not alias.name.startswith("_")
    }


def _summary(file: Path) -> str:
    return (ast.get_docstring(_tree(file)) or "").partition("\n")[0]


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _uri(name: str) -> str:
    return f"api/{name}.md"
