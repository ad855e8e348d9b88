"""The package as a whole: what is public, what an import costs, and what is shipped."""

import importlib
import importlib.util
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
import tarfile
import types
import zipfile
from pathlib import Path
from typing import Any

import pytest

import neurojax

SOURCE = Path(neurojax.__file__).parent
CHECKOUT = Path(__file__).parents[1]

# What `import neurojax` must not import, since only some users ever need it.
LAZY = {
    "chex",
    "diffrax",
    "flax",
    "h5py",
    "matplotlib",
    "networkx",
    "optimistix",
    "orbax",
    "pandas",
    "pyarrow",
    "pynwb",
    "rich",
    "scipy.optimize",
    "sklearn",
    "xarray",
}


def python(code: str, folder: Path) -> str:
    """What `code` prints in a new interpreter that runs in `folder`."""
    path = os.pathsep.join([str(SOURCE.parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def modules() -> list[types.ModuleType]:
    """The package and every module in it, save the one that runs when it is imported."""
    names = [m.name for m in pkgutil.walk_packages(neurojax.__path__, "neurojax.")]
    return [neurojax, *(importlib.import_module(n) for n in names if not n.endswith("__main__"))]


def public_places() -> list[types.ModuleType]:
    """Where users find names: the top, each public package below it, and its public modules."""
    names = [m.name for m in pkgutil.iter_modules(neurojax.__path__)]
    below = [importlib.import_module(f"neurojax.{n}") for n in names if not n.startswith("_")]
    modules = [
        value
        for package in below
        for name in public_names(package)
        if isinstance(value := getattr(package, name), types.ModuleType)
    ]
    return [neurojax, *(place for place in [*below, *modules] if public_names(place))]


def public_names(place: types.ModuleType) -> list[str]:
    """`__all__`; for a module without one, the classes and functions that it defines."""
    if hasattr(place, "__all__"):
        return list(place.__all__)
    return [
        name
        for name, value in vars(place).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == place.__name__
    ]


def public_objects() -> dict[str, object]:
    """Every public class and function of the package by its full name."""
    found = {
        f"{place.__name__}.{name}": getattr(place, name)
        for place in public_places()
        for name in public_names(place)
    }
    return {
        name: value
        for name, value in found.items()
        if value is not Any  # an alias for annotations
        and (inspect.isclass(value) or (callable(value) and hasattr(value, "__doc__")))
    }


def own_doc(value: object) -> str:
    """The docstring that somebody wrote: dataclasses make up one, and instances inherit theirs."""
    doc = inspect.getdoc(value) or ""
    if inspect.isclass(value):
        doc = inspect.cleandoc(value.__dict__.get("__doc__") or "")
        return "" if doc.startswith(f"{value.__name__}(") else doc
    if not inspect.isroutine(value) and doc == inspect.getdoc(type(value)):
        return ""
    return doc


def is_abstract(cls: type) -> bool:
    return (
        inspect.isabstract(cls)
        or bool(getattr(cls, "__abstractvars__", ()))
        or bool(getattr(cls, "__abstractclassvars__", ()))
        or getattr(cls, "_is_protocol", False)
    )


def test_import_leaves_heavy_packages_alone(tmp_path):
    code = "import neurojax, sys, json; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(python(code, tmp_path)))
    assert "neurojax" in loaded
    assert loaded & LAZY == set()


def test_every_package_lists_what_is_public():
    names = [m.name for m in pkgutil.iter_modules(neurojax.__path__) if m.ispkg]
    packages = [importlib.import_module(f"neurojax.{name}") for name in names]
    assert [p.__name__ for p in packages if not hasattr(p, "__all__")] == []


def test_every_public_name_resolves():
    missing = [
        f"{place.__name__}.{name}"
        for place in public_places()
        for name in public_names(place)
        if not hasattr(place, name)
    ]
    assert missing == []


def test_no_public_name_is_listed_twice():
    twice = {
        place.__name__: names
        for place in public_places()
        if len(names := public_names(place)) != len(set(names))
    }
    assert twice == {}


def test_everything_public_has_a_docstring():
    bare = [name for name, value in public_objects().items() if not own_doc(value)]
    bare += [module.__name__ for module in modules() if not module.__doc__]
    assert bare == []


def test_every_public_method_has_a_docstring():
    bare = set()
    for name, cls in public_objects().items():
        if not inspect.isclass(cls):
            continue
        for attribute, value in vars(cls).items():
            if attribute.startswith("_"):
                continue
            if not (inspect.isroutine(value) or isinstance(value, property)):
                continue
            # One that implements an inherited method is documented where that is declared.
            if not inspect.getdoc(getattr(cls, attribute)):
                bare.add(f"{name}.{attribute}")
    assert bare == set()


def test_every_public_function_and_class_has_an_example():
    without = {
        name
        for name, value in public_objects().items()
        if ">>>" not in (inspect.getdoc(value) or "")
        and not (inspect.isclass(value) and (is_abstract(value) or issubclass(value, Exception)))
    }
    assert without == set()


def test_classes_are_abstract_or_final():
    classes = {
        cls
        for module in modules()
        for cls in vars(module).values()
        if inspect.isclass(cls) and cls.__module__.split(".")[0] == "neurojax"
    }
    subclassed = {
        f"{cls.__name__}({base.__name__})"
        for cls in classes
        for base in cls.__bases__
        if base in classes and not is_abstract(base) and not issubclass(base, Exception)
    }
    assert subclassed == set()


def test_version_has_one_value():
    changelog = (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8")
    citation = (CHECKOUT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)", changelog, re.MULTILINE)[0] == neurojax.__version__
    assert re.findall(r"^version: (\S+)$", citation, re.MULTILINE) == [neurojax.__version__]


def test_readme_holds_the_two_commands():
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8").splitlines()
    assert "pip install . && neurojax fit" in readme
    assert "pip install '.[dev]' && pytest" in readme


def test_api_pages_cover_every_public_name():
    pytest.importorskip("mkdocs", reason="needs the extra 'docs'")
    file = CHECKOUT / "docs" / "_hooks" / "api_pages.py"
    spec = importlib.util.spec_from_file_location("api_pages", file)
    api_pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(api_pages)
    pages = api_pages.pages(SOURCE)
    top, *below = public_places()
    for place in below:
        path = place.__name__
        page = pages[f"api/{path.removeprefix('neurojax.')}.md"]
        described = re.findall(r"^::: (\S+)$", page, re.MULTILINE)
        linked = re.findall(r"^- \[(\S+)\]", page, re.MULTILINE)
        assert all(target.startswith(path) for target in [*described, *linked])
        names = [target.rpartition(".")[2] for target in [*described, *linked] if target != path]
        assert sorted(names) == sorted(public_names(place))
    listed = re.findall(r"^- \[`nj\.(\w+)`\]", pages["api/index.md"], re.MULTILINE)
    assert set(listed) == {name for name in public_names(top) if not name.startswith("__")}


def tracked_files() -> list[Path]:
    """The files of the repository; skips the test outside a checkout with git."""
    try:
        listing = subprocess.run(
            ["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs a git checkout")
    return [file for name in listing.split("\0") if name and (file := CHECKOUT / name).is_file()]


def test_no_file_names_a_place_on_one_machine():
    place = re.compile(rb"(?<![\w.])/(?:root|home|work|Users)/\w|[A-Z]:\\Users")
    found = {
        f"{file.relative_to(CHECKOUT)}: {match[0].decode()}"
        for file in tracked_files()
        if (match := place.search(file.read_bytes()))
    }
    assert found == set()


@pytest.mark.slow
def test_distributions_hold_the_data(tmp_path):
    """The wheel and the source distribution hold every tracked file of the package."""
    pytest.importorskip("hatchling", reason="needs the extra 'dev'")
    expected = {
        file.relative_to(CHECKOUT).as_posix()
        for file in tracked_files()
        if file.is_relative_to(CHECKOUT / "neurojax")
    }
    assert "neurojax/py.typed" in expected
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path)],
        cwd=CHECKOUT,
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    (source,) = tmp_path.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = set(archive.namelist())
    with tarfile.open(source) as archive:
        in_source = {name.partition("/")[2] for name in archive.getnames()}
    assert expected - in_wheel == set()
    assert expected - in_source == set()
    assert {name.partition("/")[0] for name in in_wheel} == {
        "neurojax",
        f"neurojax_dynamics-{neurojax.__version__}.dist-info",
    }
