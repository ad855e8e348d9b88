"""Responses with 50 digits, from the formula that cancels: what 16 digits are held against."""

from decimal import Decimal, localcontext


def _precise(function):
    def wrapped(*values):
        with localcontext() as context:
            context.prec = 80
            return function(*(Decimal(v) for v in values))  # a float exactly as it is

    return wrapped


@_precise
def response(rise, decay, t):
    """The second of two stages at time t, after a unit in the first."""
    if rise == decay:
        return t * (-t / rise).exp()
    return ((-t / rise).exp() - (-t / decay).exp()) / (1 / decay - 1 / rise)


@_precise
def peak_time(rise, decay):
    """When that is largest."""
    if rise == decay:
        return rise
    return (decay / rise).ln() * rise * decay / (decay - rise)


@_precise
def peak(rise, decay):
    """Its largest value."""
    return response(rise, decay, peak_time(rise, decay))


def slope(function, values, i):
    """The derivative by argument i, from a step so small that its error is beyond 16 digits."""
    with localcontext() as context:
        context.prec = 80
        step = Decimal(10) ** -20
        values = [Decimal(v) for v in values]
        high, low = list(values), list(values)
        high[i] += step
        low[i] -= step
        return float((function(*high) - function(*low)) / (2 * step))
