"""What reservoirs of rates share: random weights that stay, and the numbers that scale them."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import frozen, unwrap
from neurojax.core.tracing import known

from ..initial_weights import AbstractWeights
from ..nonlinearities import kept
from ..rate_rnn import per_unit
from ..recurrent import check_finite, check_real, current, drawn, drawn_recurrent
from ..sparse_weights import SparseWeights
from ..spectra import spectral_radius
from .fixed_in_degree import FixedInDegree, in_best_form


def fixed(weights) -> Any:
    """Weights that training leaves alone, unless they are wrapped already."""
    plain = isinstance(weights, SparseWeights) or eqx.is_array(weights)
    return frozen(weights) if plain else weights


def fixed_recurrent(recurrent, density: float | None, key, n: int) -> Any:
    """Recurrent weights as given or drawn, `FixedInDegree(density)` if nothing is said."""
    if recurrent is not None and density is not None:
        raise ValueError("density is for weights that are drawn: leave it out with recurrent=")
    if recurrent is None:
        recurrent = FixedInDegree(0.1 if density is None else density)
    if hasattr(recurrent, "tocsr"):  # a matrix of scipy.sparse
        check_real("recurrent", recurrent)
        recurrent = in_best_form(recurrent)
    weights = drawn_recurrent(recurrent, key, n)
    check_finite("recurrent", weights)
    return fixed(unwrap(weights) if isinstance(recurrent, AbstractWeights) else weights)


def radius_and_unit(radius, recurrent, n: int) -> tuple[Any, Any]:
    """The radius that is asked for and that of the weights; `None` where they stay as they are."""
    if radius is None:
        return None, None
    check_finite("radius", radius)
    radius = kept(radius)
    per_unit(radius, n, "radius", spread=False)
    if not known(*jax.tree.leaves(unwrap(recurrent))):
        raise ValueError(
            "recurrent is scaled to its radius on the host, not inside jit or vmap: make the "
            "circuit outside, or give radius=None for weights that stay as they are"
        )
    own = spectral_radius(unwrap(recurrent))
    if not float(own) > 1e-7:
        raise ValueError(
            "recurrent has spectral radius 0 (no cycles) and cannot be scaled: give radius=None"
        )
    return radius, frozen(own)


def fixed_input(input, key, n: int, inputs: int) -> Any:
    """Input weights as given, or uniform in (-1, 1)."""
    input = _uniform(key, n, inputs) if input is None and inputs else input
    return fixed(drawn(input, key, (n, inputs), 1.0, "input"))


def input_scales(input_scaling, inputs: int) -> Any:
    """The scaling of the inputs, one for all or one for each."""
    check_finite("input_scaling", input_scaling)
    input_scaling = kept(input_scaling)
    shape = jnp.shape(unwrap(input_scaling))
    if shape not in ((), (inputs,)):
        raise ValueError(
            f"input_scaling must be a scalar or have shape ({inputs},), one per input channel, "
            f"got {shape}"
        )
    return input_scaling


def fixed_bias(bias, key, n: int) -> Any:
    """The bias of each unit as given, or uniform in (-1, 1)."""
    bias = per_unit(_uniform(key, n) if bias is None else bias, n, "bias")
    check_finite("bias", bias)
    return fixed(bias)


def bias_scales(bias_scaling, n: int) -> Any:
    """The scaling of the bias, one for all or one for each unit."""
    check_finite("bias_scaling", bias_scaling)
    return per_unit(kept(bias_scaling), n, "bias_scaling", spread=False)


def driven(circuit, rates, u) -> Array:
    """What units receive from each other, their bias and the inputs u, all scaled."""
    total = current(circuit.recurrent, rates)
    if circuit.radius is not None:
        total = circuit.radius / circuit.unit * total
    total = total + circuit.bias_scaling * circuit.bias
    if circuit.input is not None and u is not None:
        total = total + current(circuit.input, circuit.input_scaling * u)
    return total


def _uniform(key, *shape: int) -> Array:
    return jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)
