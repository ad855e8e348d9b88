"""Every number has the unit of the argument that takes it: a unit of its own would be lost."""

# of quantities and pint, of Brian2, of astropy, of brainunit
_MARKS = ("dimensionality", "has_same_dimensions", "to_value", "mantissa")


def refuse_units(name: str, value) -> None:
    """Refuse a quantity, of which the number alone would be taken, in whatever unit it has.

    Arguments:
        name: of the argument, for the message.
        value: anything; of lists and tuples the first element is looked at.

    Raises:
        TypeError: for a number or an array with a unit.

    Example:
        >>> from neurojax.core.units import refuse_units
        >>> refuse_units("dt", 0.1)
    """
    while isinstance(value, list | tuple) and value:
        value = value[0]
    if any(hasattr(value, mark) for mark in _MARKS):
        raise TypeError(
            f"{name} must be a plain number or array, in ms, mV, pA, nS, pF or Hz, got {value} "
            "with a unit of its own: convert it and give its value alone"
        )
