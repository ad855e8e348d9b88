"""Checks at the door of a run: by shapes alone, so they cost nothing inside jit."""

import re

import jax

from . import inputs as signals
from ._asked import Asked
from .dynamics import Dynamics
from .errors import ShapeError, UnknownNameError, suggestion
from .paths import leaf_names


def admitted(model: str, dynamics: Dynamics, state, inputs, clock):
    """The state in the precision of a step, and the shapes of what a step emits.

    Arguments:
        model: the name of the model for messages.
        dynamics: the prepared model.
        state: the state at the beginning.
        inputs: the inputs with the present values of the stochastic ones.
        clock: the clock of the first step.

    Raises:
        ValueError: if state, parameters and inputs do not fit together.
        UnknownNameError: for an input that the model never reads.
    """
    read = dynamics.read_inputs(inputs, clock)
    step = lambda state, inputs: dynamics.step(state, inputs, clock)
    output, shapes = fitting(model, step, state, signals.resolve(read, clock))
    again = lambda state: jax.eval_shape(lambda s: step(s, read), state)
    return _settled(state, (shapes, output), again)


def fitting(model: str, step, state, inputs):
    """The shapes of one step, with the checks of `admitted`; `inputs` are plain arrays."""
    asked = Asked(inputs) if type(inputs) is dict else inputs
    unread = []
    try:
        try:
            shapes, output = jax.eval_shape(lambda s: step(s, asked), state)
            unread = asked.unread() if isinstance(asked, Asked) else []
        except (UnknownNameError, ShapeError):
            raise
        except (KeyError, TypeError, ValueError):
            # the model wants a plain dictionary; a genuine error is raised again here
            shapes, output = jax.eval_shape(lambda s: step(s, inputs), state)
    except (TypeError, ValueError) as error:
        about_shapes = isinstance(error, TypeError) or re.search("shape|broadcast", str(error))
        if isinstance(error, ShapeError) or not about_shapes:
            raise
        raise ShapeError(
            f"one step of {model} does not fit together: {error} "
            f"State: {_shapes(state)}; inputs: {_shapes(inputs)}. (An input array is constant "
            "in time: wrap a time series in nj.inputs.Sampled(values, dt).)"
        ) from error
    if unread:
        name, known = unread[0]
        raise UnknownNameError(
            f"the model never reads the input {name!r}.{suggestion(name, known)}"
        )
    return output, shapes


def _shapes(tree) -> str:
    named = zip(leaf_names(tree), jax.tree.leaves(tree), strict=True)
    return ", ".join(f"{name or 'state'} {jax.numpy.shape(leaf)}" for name, leaf in named) or "none"


def _settled(state, stepped, again):
    """The initial state in the precision that the step itself gives it, and what the step emits.

    Shapes must not change.
    """
    for _ in range(3):
        shapes, output = stepped
        old, tree = jax.tree.flatten(state)
        if jax.tree.structure(shapes) != tree:
            raise ValueError(
                "step must return a state of the same structure as it was given: "
                f"{tree} became {jax.tree.structure(shapes)}"
            )
        new = jax.tree.leaves(shapes)
        for name, a, b in zip(leaf_names(state), old, new, strict=True):
            if a.shape != b.shape:
                raise ValueError(
                    f"the state leaf {name!r} has shape {a.shape} before a step and {b.shape} "
                    "after it; an input, a parameter or the initial state has the wrong shape "
                    "(an input array is constant in time: wrap a time series in "
                    "nj.inputs.Sampled(values, dt))"
                )
        if all(a.dtype == b.dtype for a, b in zip(old, new, strict=True)):
            return state, output
        state = jax.tree.unflatten(tree, [a.astype(b.dtype) for a, b in zip(old, new, strict=True)])
        stepped = again(state)
    raise ValueError("step changes the precision of its state every time; fix its dtypes")
