"""Reservoirs of `reservoirpy` as circuits, known by what they have, without importing it."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from neurojax.circuits import (
    EchoState,
    Grouped,
    NextGeneration,
    RecurrentCircuit,
    SparseWeights,
    Stacked,
)
from neurojax.circuits.recurrent import check_finite
from neurojax.circuits.reservoirs.edge_of_stability import EdgeOfStability
from neurojax.circuits.reservoirs.fixed_in_degree import worth_it
from neurojax.circuits.reservoirs.intrinsic_plasticity import with_gains
from neurojax.circuits.reservoirs.with_inputs import WithInputs

_ACTIVATIONS = {
    "identity": "identity",
    "relu": "relu",
    "sigmoid": "sigmoid",
    "softmax": jax.nn.softmax,
    "softplus": "softplus",
    "tanh": "tanh",
}
_NOISE = ("noise_rc", "noise_in", "noise_out")


def from_reservoirpy(model: Any, *, nonlinearity: Any = None) -> RecurrentCircuit:
    """A circuit that does what a reservoir, or a reservoir and its read-out, of reservoirpy does.

    What counts is what the objects have, not their class; versions 0.3 and 0.4, also those of
    `reservoirpy.jax`:

    | object | has | becomes |
    |---|---|---|
    | `Reservoir` | `W`, `Win`, `bias`, `lr`, `activation` | `EchoState` with `radius=None`: `sr` is in `W` already |
    | with `equation="external"` | an internal state | `EchoState(form="external")` |
    | `LocalPlasticityReservoir` with `lr=1` | the same | the same, with the weights as learnt |
    | `IPReservoir` | `a`, `b` as well | the same, with gains and shifts in the weights and the bias |
    | `ES2N` | `O` and `proximity` as well | `EdgeOfStability` |
    | `Reservoir >> Ridge`, `ESN` | `nodes`, `edges`; a node with `Wout` | the circuit with `output` and `output_bias` |
    | ... `<<` feedback | an edge with delay 1, or `Wfb` | `feedback` |
    | ... with the input to the read-out | | `WithInputs` |
    | `NVAR` in place of the reservoir, without feedback | `delay`, `order`, `strides` | `NextGeneration` |
    | `Reservoir >> Reservoir >> Ridge`, without feedback | several reservoirs in a chain | `Stacked`; layers that the read-out does not see have weights of 0 |
    | `data >> [Reservoir, Reservoir] >> Ridge`, without feedback | several reservoirs side by side, `NVAR` among them | `Grouped`, likewise |

    States are where they were: `{"h": node.state["out"]}`, or `{"x": ...}` of the external form (of
    an `IPReservoir` a x + b), and `{"past": ...}`, the latest rows of the `store` of an `NVAR`.
    Without a state a circuit begins at zero as reservoirpy does; what differs in the first step is
    that feedback begins with the bias of the read-out instead of 0, an `IPReservoir` with x = -b/a,
    and rates of the external form with the activation of 0.

    Arguments:
        model: a node, or a `Model` of an initialised reservoir and a fitted read-out. Load it
            yourself: nothing is unpickled here.
        nonlinearity: in place of an activation that is not one of reservoirpy's own; a function of
            JAX arrays.

    Returns:
        A circuit with the same states, and outputs if there is a read-out.

    Raises:
        ValueError: for what has no equal here, which the message names: other nodes, several
            reservoirs neither in a chain nor side by side, noise, feedback through a nonlinearity
            or with other delays; for matrices that do not fit together or are not finite.
        TypeError: for an object that is no node and no model, and what are no real numbers.

    Source: Trouvain, Pedrelli, Dinh and Hinaut (2020), ICANN, LNCS 12397:494.

    Example:
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> from neurojax.interop import from_reservoirpy
        >>> node = SimpleNamespace(
        ...     W=0.5 * np.eye(3), Win=np.ones((3, 1)), bias=0.0, lr=0.3, activation=np.tanh
        ... )
        >>> circuit = from_reservoirpy(node)
        >>> circuit.n, circuit.form
        (3, 'internal')
    """  # noqa: E501
    nodes = getattr(model, "nodes", None)
    if nodes is None:
        if _is_readout(model) or not _has_rates(model):
            raise TypeError(
                "model must be an initialised reservoir of reservoirpy, or a model of one and its "
                f"read-out, got {type(model).__name__}"
            )
        if getattr(model, "has_feedback", False):
            raise ValueError("the reservoir has feedback: give the model with its read-out as well")
        return _circuit(model, nonlinearity)
    if getattr(model, "edges", None) is None:
        raise TypeError(f"the model has nodes, but no edges among them: {type(model).__name__}")
    nodes, edges = list(nodes), list(model.edges)
    if sum(map(_has_rates, nodes)) > 1:
        return _several(nodes, edges, nonlinearity)
    reservoir, readout = _graph(nodes, edges)
    if readout is None:
        return _circuit(reservoir, nonlinearity)
    output, bias = _weights_out(readout)
    back = _feedback(reservoir, readout, edges, len(output))
    seen = [edge[0] for edge in edges if edge[-1] is readout]
    if len(seen) == 1:
        return _circuit(reservoir, nonlinearity, output, bias, back)
    inner = _circuit(reservoir, nonlinearity, back=back)
    if seen[0] is not reservoir:  # its features are in the order of the edges; ours: inputs last
        output = np.roll(output, inner.n, axis=1)
    return _with_bias(WithInputs(inner, outputs=len(output), output=output), bias)


def _circuit(node, nonlinearity, output=None, bias=None, back: int = 0) -> Any:
    """The circuit of a reservoir; the last `back` columns of `Win` are those of feedback."""
    if _is_delayed(node):
        return _delayed(node, output, bias, back)
    for name in ("W", "Win"):
        if callable(getattr(node, name)) or getattr(node, name) is None:
            raise ValueError(f"{name} of the reservoir is not drawn yet: run it once, then import")
    for name in _NOISE:
        if _has(node, name) and np.any(_numbers(node, name) != 0):
            raise ValueError(f"the reservoir has {name}={getattr(node, name)}, which has no equal")
    learnt = hasattr(node, "synapse_normalization") and not hasattr(node, "_forward")
    if learnt and np.any(_numbers(node, "lr") != 1):  # in version 0.4; 0.3 has the external form
        raise ValueError("the leak of a LocalPlasticityReservoir has no equal: only lr=1 has")
    dense = _matrix(node, "W")
    n = len(dense)
    if dense.shape != (n, n) or n == 0:
        raise ValueError(f"W of the reservoir must be square, got shape {dense.shape}")
    Win = _matrix(node, "Win", n)
    feedback = None
    if back:
        if not _has(node, "Wfb") and Win.shape[1] < back:
            raise ValueError(
                f"Win of the reservoir has {Win.shape[1]} columns, fewer than the {back} outputs "
                "that are fed back"
            )
        feedback = _matrix(node, "Wfb", n) if _has(node, "Wfb") else Win[:, -back:]
        Win = Win if _has(node, "Wfb") else Win[:, :-back]
    weights = dense
    if worth_it(n, float(np.max(np.sum(dense != 0, axis=1))) / n):
        weights = SparseWeights.from_matrix(dense)
    named = {
        "inputs": Win.shape[1], "outputs": back if output is None else len(output),
        "recurrent": weights, "radius": None, "input": Win if Win.shape[1] else None,
        "bias": _per_unit(node, "bias", n), "bias_scaling": 1.0, "output": output,
        "nonlinearity": _activation(node) if nonlinearity is None else nonlinearity,
    }  # fmt: skip
    if _has(node, "O"):
        if back:
            raise ValueError("an ES2N with feedback has no equal")
        circuit = EdgeOfStability(
            n, proximity=_per_unit(node, "proximity", n), orthogonal=_matrix(node, "O", n), **named
        )
        return _with_bias(circuit, bias)
    leak = _per_unit(node, "lr", n)
    circuit = EchoState(n, leak=leak, form=_form(node), feedback=feedback, **named)
    if _has(node, "a") and _has(node, "b"):
        circuit = with_gains(circuit, _per_unit(node, "a", n), _per_unit(node, "b", n))
    return _with_bias(circuit, bias)


def _delayed(node, output=None, bias=None, back: int = 0) -> Any:
    """The circuit of an NVAR, whose features are in the same order."""
    inputs = node.input_dim
    if inputs is None:
        raise ValueError("the NVAR does not know its inputs yet: run it once, then import")
    if back:
        raise ValueError("an NVAR with feedback has no equal")
    if node.order < 2:
        raise ValueError("an NVAR of order 1 has each feature twice, which has no equal")
    circuit = NextGeneration(
        inputs, outputs=0 if output is None else len(output), output=output,
        delays=node.delay, degrees=node.order, stride=node.strides,
    )  # fmt: skip
    return _with_bias(circuit, bias)


def _several(nodes: list, edges: list, nonlinearity) -> Any:
    """Reservoirs in a chain or side by side, with the read-out of one or some, or without."""
    reservoirs, readout = _kinds(nodes)
    for edge in edges:
        _check_delay(edge, 0)
    # nodes are told apart by what they are: some compare their arrays
    below = {id(node): [edge[0] for edge in edges if edge[-1] is node] for node in nodes}
    drives = lambda node: _has_rates(node) or _is_readout(node)
    only = lambda node, one: [other is one for other in below[id(node)]] == [True]
    first = [node for node in reservoirs if not any(map(drives, below[id(node)]))]
    chain = list(first)
    while len(first) == 1 and len(chain) < len(reservoirs):
        above = [node for node in reservoirs if only(node, chain[-1])]
        if len(above) != 1:
            break
        chain += above
    seen = [] if readout is None else below[id(readout)]
    fits = all(map(_has_rates, seen)) and (seen or readout is None)
    sources = [set(map(id, below[id(node)])) for node in first]
    alone = len(first) == 1 or all(one == sources[0] for one in sources)
    if not alone or len(chain) != len(reservoirs) or not fits:
        raise ValueError(
            f"the model has {len(reservoirs)} reservoirs, which are not layers in a chain, or side "
            "by side on the same input, with a read-out of their own: import one at a time, and "
            "join them by nj.circuits.Stacked or Grouped"
        )
    parts = [_circuit(node, nonlinearity) for node in chain]
    whole: Any = Stacked if len(first) == 1 else Grouped
    if readout is None:
        return whole(parts)
    output, bias = _weights_out(readout)
    sizes = {id(node): part.n for node, part in zip(chain, parts, strict=True)}
    blocks = np.split(output, np.cumsum([sizes[id(node)] for node in seen])[:-1], axis=1)
    of_part = {id(node): block for node, block in zip(seen, blocks, strict=True)}
    for name, n in sizes.items():  # a part that the read-out does not see has weights of 0
        of_part.setdefault(name, np.zeros((len(output), n)))
    output = np.concatenate([of_part[name] for name in sizes], axis=1)
    return _with_bias(whole(parts, outputs=len(output), output=output), bias)


def _graph(nodes: list, edges: list) -> tuple[Any, Any]:
    """The reservoir and the read-out, or `None`."""
    reservoirs, readout = _kinds(nodes)
    if not reservoirs:
        raise ValueError("the model has no reservoir")
    (reservoir,) = reservoirs
    for edge in edges:
        back = edge[0] is readout and edge[-1] is reservoir
        _check_delay(edge, 1 if back else 0)
    direct = [edge for edge in edges if edge[0] is reservoir and edge[-1] is readout]
    if readout is not None and len(direct) != 1:
        raise ValueError("the read-out of the model does not see the reservoir itself")
    return reservoir, readout


def _kinds(nodes: list) -> tuple[list, Any]:
    """The reservoirs and the read-out (or `None`) of a model."""
    reservoirs = [node for node in nodes if _has_rates(node)]
    readouts = [node for node in nodes if _is_readout(node)]
    for node in nodes:
        kind = type(node).__name__
        if not (_has_rates(node) or _is_readout(node)) and kind not in ("Input", "Output"):
            raise ValueError(f"the model has a node of the kind {kind}, which has no equal")
    if len(readouts) > 1:
        raise ValueError(f"the model has {len(readouts)} read-outs: import one at a time")
    return reservoirs, (readouts or [None])[0]


def _check_delay(edge, wanted: int) -> None:
    delay = edge[1] if len(edge) == 3 else 0
    if delay != wanted:
        raise ValueError(
            f"the model has an edge from {type(edge[0]).__name__} to {type(edge[-1]).__name__} "
            f"with delay {delay}, which has no equal"
        )


def _feedback(reservoir, readout, edges, outputs: int) -> int:
    """The number of channels that the read-out feeds back to the reservoir."""
    if any(edge[0] is readout and edge[-1] is reservoir for edge in edges):
        return outputs
    if not getattr(reservoir, "has_feedback", False):  # of version 0.3
        return 0
    through = getattr(getattr(reservoir, "fb_activation", None), "__name__", "identity")
    if through != "identity":
        raise ValueError(f"feedback goes through fb_activation={through}, which has no equal")
    if not _has(reservoir, "Wfb") or _matrix(reservoir, "Wfb").shape[1] != outputs:
        raise ValueError("the reservoir has feedback, but Wfb does not fit the read-out")
    return outputs


def _weights_out(readout) -> tuple[np.ndarray, np.ndarray]:
    """Wout (outputs, features) and the bias of a read-out."""
    if readout.Wout is None or callable(readout.Wout):
        raise ValueError("the read-out is not fitted: fit the model, or import the reservoir alone")
    output = _matrix(readout, "Wout").T
    bias = _per_unit(readout, "bias", len(output)) if _has(readout, "bias") else 0.0
    return output, np.broadcast_to(bias, (len(output),))


def _with_bias(circuit, bias) -> Any:
    import equinox as eqx
    import jax.numpy as jnp

    if bias is None:
        return circuit
    bias = jnp.asarray(bias, jnp.result_type(float))
    return eqx.tree_at(lambda c: c.output_bias, circuit, bias)


def _form(node) -> str:
    """Whether the leak acts inside or outside of the nonlinearity."""
    named = getattr(node, "equation", None)
    if named is not None:
        return named
    if getattr(getattr(node, "_forward", None), "__name__", "") == "forward_external":
        return "external"
    state = getattr(node, "state", None)
    return "external" if isinstance(state, Mapping) and "internal" in state else "internal"


def _activation(node) -> Any:
    name = getattr(node, "activation_type", None)  # of an IPReservoir of version 0.3
    if name is None:
        name = getattr(node.activation, "__name__", repr(node.activation))
    if name not in _ACTIVATIONS:
        raise ValueError(
            f"the activation of the reservoir, {name}, is none of {sorted(_ACTIVATIONS)}: give the "
            "same as nonlinearity=, a function of JAX arrays"
        )
    return _ACTIVATIONS[name]


def _is_reservoir(node) -> bool:
    needed = ("W", "Win", "bias", "activation")
    return all(hasattr(node, name) for name in needed) and (
        hasattr(node, "lr") or hasattr(node, "proximity")
    )


def _is_delayed(node) -> bool:
    return all(hasattr(node, name) for name in ("delay", "order", "strides", "input_dim"))


def _has_rates(node) -> bool:
    return _is_reservoir(node) or _is_delayed(node)


def _is_readout(node) -> bool:
    return hasattr(node, "Wout")


def _has(node, name: str) -> bool:
    return getattr(node, name, None) is not None


def _numbers(node, name: str) -> np.ndarray:
    """What a node has under a name, as real and finite numbers."""
    value = getattr(node, name)
    for dense in ("toarray", "todense"):  # of scipy and of JAX
        if hasattr(value, dense):
            value = getattr(value, dense)()
            break
    value = np.asarray(value)
    check_finite(f"{name} of the {_kind(node)}", value)
    return value.astype(float)


def _matrix(node, name: str, rows: int | None = None) -> np.ndarray:
    """A matrix, with a row for each unit where their number is known."""
    value = _numbers(node, name)
    if value.ndim != 2 or rows not in (None, len(value)):
        wanted = "two axes" if rows is None else f"two axes and {rows} rows, one per unit"
        raise ValueError(f"{name} of the {_kind(node)} must have {wanted}, got shape {value.shape}")
    return value


def _per_unit(node, name: str, n: int) -> np.ndarray:
    """A scalar, or one value for each of n, however they lie in a row or a column."""
    value = _numbers(node, name)
    value = value if value.ndim == 0 else value.ravel()
    if value.shape not in ((), (1,), (n,)):
        raise ValueError(f"{name} of the {_kind(node)} must be one number or {n}, got {value.size}")
    return value[0] if value.shape == (1,) else value


def _kind(node) -> str:
    return "read-out" if _is_readout(node) else "reservoir"
