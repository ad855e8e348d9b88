"""Two things that mkdocstrings has to be told about our docstrings and classes."""

import re

import griffe


class SingularExample(griffe.Extension):
    """Reads the section `Example:` like `Examples:`, so that its prompts become code."""

    def on_object(self, *, obj, **kwargs):
        """Renames the section in one docstring."""
        if obj.docstring:
            obj.docstring.value = re.sub(
                r"^([ \t]*)Example:[ \t]*$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE
            )


class ModuleSignature(griffe.Extension):
    """Gives a module of Equinox and a named tuple the `__init__` that their fields stand for."""

    def on_package(self, *, pkg, **kwargs):
        """Visits every class of the package."""
        self._visit(pkg)

    def _visit(self, parent):
        for member in list(parent.members.values()):
            if member.is_alias or member.name == "__init__":
                continue
            if member.is_module:
                self._visit(member)
            elif member.is_class and "__init__" not in member.members and _has_fields(member):
                member.set_member("__init__", _init(member))


def _has_fields(class_) -> bool:
    roots = {"equinox.Module", "typing.NamedTuple"}
    return any(getattr(base, "canonical_path", str(base)) in roots for base in class_.bases) or any(
        _has_fields(base) for base in class_.resolved_bases if base.is_class
    )


def _init(class_):
    parameters = {"self": _parameter("self", None, None)}
    for owner in [*reversed(class_.resolved_bases), class_]:
        inherited = owner.members.get("__init__")
        if inherited is not None and owner is not class_:
            parameters |= {p.name: p for p in inherited.parameters}
            continue
        for field in owner.members.values():
            if field.is_attribute and _is_field(field):
                parameters[field.name] = _parameter(field.name, field.annotation, _default(field))
    return griffe.Function("__init__", parameters=griffe.Parameters(*parameters.values()))


def _is_field(attribute) -> bool:
    labels = attribute.labels
    if attribute.annotation is None or "property" in labels:
        return False
    if "class-attribute" in labels and "instance-attribute" not in labels:  # ClassVar, taken off
        return False
    return not re.search(r"\b(ClassVar|AbstractVar|AbstractClassVar)\b", str(attribute.annotation))


def _default(attribute):
    value = attribute.value
    if isinstance(value, griffe.ExprCall) and value.canonical_path == "equinox.field":
        given = {a.name: a.value for a in value.arguments if isinstance(a, griffe.ExprKeyword)}
        return given.get("default")
    return value


def _parameter(name, annotation, default):
    kind = griffe.ParameterKind.positional_or_keyword
    return griffe.Parameter(name, annotation=annotation, kind=kind, default=default)
