"""The inputs of one part of a model that has several."""

from .errors import ShapeError


def inputs_of(inputs, name: str) -> dict:
    """The inputs of a part, as they are: a copy would count as reading every name.

    Raises:
        ShapeError: if a value stands in the place of the dictionary.
    """
    own = {} if inputs is None else inputs.get(name)
    if own is None:
        return {}
    if not isinstance(own, dict):
        raise ShapeError(
            f"the inputs of {name!r} must be a dictionary by name of its ports, for example "
            f"{{{name!r}: {{'I_e': 200.0}}}}, got one value for all of them"
        )
    return own


def with_added(own: dict, more: dict) -> dict:
    """The inputs of a part with what arrives at its ports besides; as they are if that is none."""
    total = {port: own[port] + x if port in own else x for port, x in more.items()}
    return own | total if total else own
