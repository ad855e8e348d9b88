"""Samples shown to a plastic liquid one after the other, each finding the weights of the last."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from neurojax.core import Clock, unwrap

from ..recurrent import check_finite
from .astrocyte_liquid import AstrocyteLiquid


def initialise_weights(liquid: AstrocyteLiquid, inputs: Any) -> AstrocyteLiquid:
    """The liquid with the weights that it learns from a series of samples.

    Each sample begins at rest, with A = b, but with the weights that the one before it left;
    learning rates do not decay. The liquid that is returned begins every run with the new weights.
    (In the authors' program traces go on from sample to sample too.)

    Arguments:
        liquid: with plasticity.
        inputs: `u` at each step of 1 ms, (sample, step, channel); 20 ms a sample in the paper.

    Raises:
        ValueError: if the liquid is static, or for inputs of another shape or that are not finite.
        TypeError: for another circuit than an `AstrocyteLiquid`.

    Source: Ivanov and Michmizos (2021), NeurIPS.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> liquid = nj.circuits.AstrocyteLiquid((3, 3, 3), inputs=4, density=0.5, input_weight=3.0)
        >>> learnt = nj.circuits.initialise_weights(liquid, jnp.ones((5, 20, 4)))
        >>> bool((learnt.input != liquid.input).any())
        True
    """
    if not isinstance(liquid, AstrocyteLiquid):
        raise TypeError(
            f"liquid must be an nj.circuits.AstrocyteLiquid, got {type(liquid).__name__}: only its "
            "synapses learn"
        )
    if not liquid.plasticity:
        raise ValueError("this liquid is static (plasticity=False): its weights do not change")
    inputs = jnp.asarray(inputs, jnp.result_type(float))
    if inputs.ndim != 3 or inputs.shape[-1] != liquid.inputs or 0 in inputs.shape:
        raise ValueError(
            f"inputs must have shape (sample, step, {liquid.inputs}), got {inputs.shape}"
        )
    check_finite("inputs", inputs)
    weights = _learnt(liquid, inputs)
    where = lambda model: (model.recurrent, model.input)
    return eqx.tree_at(where, unwrap(liquid), (weights[:, : liquid.n], weights[:, liquid.n :]))


@eqx.filter_jit
def _learnt(liquid, inputs):
    liquid = unwrap(liquid)
    liquid = eqx.tree_at(lambda model: model.decay, liquid, jnp.ones_like(liquid.decay))
    start = liquid.init_state()

    def sample(weights, u):
        def step(state, u):
            return liquid.step(state, {"u": u}, Clock(0, 1.0))[0], None

        return jax.lax.scan(step, start | {"w": weights}, u)[0]["w"], None

    return jax.lax.scan(sample, start["w"], inputs)[0]
