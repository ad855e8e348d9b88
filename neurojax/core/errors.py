"""Messages that say what was wrong and what to do."""

import difflib
from collections.abc import Iterable


class NonFiniteError(ArithmeticError):
    """A state became NaN or infinite during a run.

    Example:
        >>> import neurojax as nj
        >>> class Explosion(nj.ContinuousDynamics):
        ...     solver: nj.solvers.AbstractStepper = nj.solvers.Heun()
        ...
        ...     def init_state(self, *, key=None):
        ...         return {"x": 1.0}
        ...
        ...     def drift(self, t, state, inputs):
        ...         return {"x": state["x"] ** 2}
        >>> try:
        ...     nj.simulate(Explosion(), duration=20.0, dt=0.1)
        ... except nj.NonFiniteError as error:
        ...     print(error)
        the state leaf 'x' of Explosion became NaN or infinite in step 14 (t = 1.4 ms). ...
    """


class UnknownNameError(KeyError):
    """A name that is not part of the model, the recording or the connectome.

    Example:
        >>> import neurojax as nj
        >>> try:
        ...     nj.simulate(nj.neurons.LIF(), duration=1.0, dt=0.1, inputs={"I": 300.0})
        ... except nj.UnknownNameError as error:
        ...     print(error)
        the model never reads the input 'I'. Did you mean 'I_e'? Known: I_e.
    """

    def __str__(self) -> str:
        # KeyError would show the message quoted
        return str(self.args[0]) if self.args else ""


class MissingInputError(ValueError):
    """An input without which a part of a model cannot be stepped."""


class ShapeError(ValueError):
    """A drift that is not shaped like the state; its message is complete."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """' Did you mean X?' with the closest names, and the list of what there is."""
    known = [str(k) for k in known]
    close = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    shown = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
    return f"{hint} Known: {shown or 'nothing'}."
