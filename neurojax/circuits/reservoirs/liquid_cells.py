"""The neurons of a liquid: leaky integrate-and-fire, or Izhikevich neurons of many kinds."""

from typing import Any

import jax

from neurojax.core.errors import UnknownNameError, suggestion
from neurojax.core.keys import own_or_first
from neurojax.neurons import LIF, Izhikevich
from neurojax.neurons.neuron import AbstractNeuron
from neurojax.synapses import AbstractReceptor, ExpCurrent

KINDS = ("lif", "izhikevich")


def heterogeneous_izhikevich(n_E: int, n_I: int, *, key: Any = None) -> dict[str, Izhikevich]:
    r"""Izhikevich neurons that differ: regular spiking to chattering, fast to low-threshold.

    With r uniform in [0, 1] for each neuron, excitatory ones have a = 0.02, b = 0.2,
    $c = -65 + 15 r^2$, $d = 8 - 6 r^2$; inhibitory ones $a = 0.02 + 0.08 r$, $b = 0.25 - 0.05 r$,
    c = -65, d = 2. Their ports `exc` and `inh` are currents (mV/ms) of 3 and 6 ms.

    Arguments:
        n_E: number of excitatory neurons.
        n_I: number of inhibitory neurons.
        key: draws r; default key 0.

    Source: Izhikevich (2003), IEEE Trans. Neural Netw. 14:1569.

    Example:
        >>> import jax, neurojax as nj
        >>> cells = nj.circuits.heterogeneous_izhikevich(80, 20, key=jax.random.key(1))
        >>> cells["E"].c.shape, float(cells["I"].d)
        ((80,), 2.0)
    """
    keys = jax.random.split(own_or_first(key))
    r_E, r_I = jax.random.uniform(keys[0], (n_E,)), jax.random.uniform(keys[1], (n_I,))
    receptors = _receptors()
    return {
        "E": Izhikevich(
            a=0.02, b=0.2, c=-65.0 + 15.0 * r_E**2, d=8.0 - 6.0 * r_E**2, n=n_E,
            receptors=receptors,
        ),
        "I": Izhikevich(
            a=0.02 + 0.08 * r_I, b=0.25 - 0.05 * r_I, c=-65.0, d=2.0, n=n_I, receptors=receptors
        ),
    }  # fmt: skip


def liquid_cells(given: Any, n_E: int, n_I: int, key) -> dict[str, AbstractNeuron]:
    """The populations that `cells=` of a liquid stands for."""
    if isinstance(given, str):
        if given not in KINDS:
            raise UnknownNameError(f"unknown cells {given!r}.{suggestion(given, KINDS)}")
        if given == "izhikevich":
            return dict(heterogeneous_izhikevich(n_E, n_I, key=key))
        return {kind: _lif(t_ref).population(n) for kind, t_ref, n in _kinds(n_E, n_I)}
    if not isinstance(given, dict) or set(given) != {"E", "I"}:
        raise TypeError(
            "cells must be 'lif', 'izhikevich' or a dictionary of two neurons, "
            f"{{'E': ..., 'I': ...}}, got {given!r}"
        )
    cells = {}
    for kind, n in (("E", n_E), ("I", n_I)):
        cell = given[kind]
        if not isinstance(cell, AbstractNeuron):
            raise TypeError(f"cells[{kind!r}] must be one of nj.neurons, got {cell!r}")
        for port in ("exc", "inh"):
            if port not in cell.receptors:
                raise ValueError(
                    f"cells[{kind!r}] needs receptors at the ports 'exc' and 'inh', but has "
                    f"{list(cell.receptors)}"
                )
        if cell.n not in (1, n):
            raise ValueError(f"cells[{kind!r}] are {cell.n} neurons; the grid has {n} of them")
        cells[kind] = cell.population(n) if cell.n != n else cell
    return cells


def _kinds(n_E: int, n_I: int):
    return (("E", 3.0, n_E), ("I", 2.0, n_I))


def _lif(t_ref: float) -> LIF:
    """Membranes of 30 ms, 15 mV below threshold at rest (Maass et al. 2002)."""
    return LIF(
        C_m=300.0, g_L=10.0, E_L=-70.0, V_th=-55.0, V_reset=-68.5, t_ref=t_ref,
        receptors=_receptors(),
    )  # fmt: skip


def _receptors() -> dict[str, AbstractReceptor]:
    return {"exc": ExpCurrent(tau=3.0), "inh": ExpCurrent(tau=6.0)}
