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


def public_packages() -> list[types.ModuleType]:
    """The top and what lies one level below it: the places where users find names."""
    names = [m.name for m in pkgutil.iter_modules(neurojax.__path__)]
    return [
        neurojax,
        *(importlib.import_module(f"neurojax.{n}") for n in names if not n.startswith("_")),
    ]


def public_names(package: types.ModuleType) -> list[str]:
    """`__all__`, or else every name that is no module and has no leading underscore."""
    if hasattr(package, "__all__"):
        return list(package.__all__)
    return [
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    ]


def public_objects() -> dict[str, object]:
    """Every public class and function of the package by its full name."""
    found = {
        f"{package.__name__}.{name}": getattr(package, name)
        for package in public_packages()
        for name in public_names(package)
    }
    return {
        name: value
        for name, value in found.items()
        if inspect.isclass(value) or (callable(value) and hasattr(value, "__doc__"))
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


def test_every_public_name_resolves():
    missing = [
        f"{package.__name__}.{name}"
        for package in public_packages()
        for name in public_names(package)
        if not hasattr(package, name)
    ]
    assert missing == []


def test_no_public_name_is_listed_twice():
    twice = {
        package.__name__: names
        for package in public_packages()
        if len(names := public_names(package)) != len(set(names))
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
    top, *below = public_packages()
    for package in below:
        name = package.__name__.rpartition(".")[2]
        described = re.findall(r"^::: (\S+)$", pages.get(f"api/{name}.md", ""), re.MULTILINE)
        assert set(described) - {package.__name__} == {
            f"{package.__name__}.{public}" for public in public_names(package)
        }
    for name in public_names(top):
        value = getattr(top, name)
        if not isinstance(value, types.ModuleType) and not name.startswith("__"):
            assert re.search(rf"`nj\.{name}`|^::: neurojax\.{name}$", pages["api/index.md"], re.M)


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
