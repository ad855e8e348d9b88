"""The forecasts of a fitted circuit: known up to a frame, free after it."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from .estimator import Estimator
from .forecasts import HORIZONS
from .problem import Aligned

_WARM_UP = 30  # frames that are given before the forecast begins


@eqx.filter_jit
def _predict(estimator: Estimator, values, known, dt):
    return jax.vmap(estimator.prepare().predict)(values, known, dt)


def free_run(
    estimator: Estimator,
    aligned: Aligned,
    first: Int[np.ndarray, " animal"],
    horizons: Sequence[int] = HORIZONS,
) -> Float[np.ndarray, "animal time horizon neuron"]:
    """What the circuit, knowing frames up to s, says of the frames s + h.

    All labelled neurons are clamped to the recording for 30 frames up to s; then all run free.
    The observer takes no part.

    Arguments:
        estimator: fitted.
        aligned: recordings as the fit sees them.
        first: first scored frame of each animal; forecasts begin at the frame before it.
        horizons: frames ahead.

    Returns:
        What `forecasts.forecast_errors` scores; `NaN` before the first forecast.

    Example:
        >>> import neurojax as nj
        >>> wiring = nj.connectomes.cook2019().subset(["AVAL", "AVAR", "AVBL", "RIML"])
        >>> worms = nj.fitting.Normalisation().apply(nj.recordings.load("dag2023")[:1], train=0.6)
        >>> data = nj.fitting.align(worms, wiring.names)
        >>> circuit = nj.circuits.ConnectomeCircuit(wiring)
        >>> clamp = nj.fitting.Clamp()
        >>> estimator = nj.fitting.Estimator(circuit, nj.observations.Identity(), clamp)
        >>> nj.fitting.free_run(estimator, data, np.array([480]), horizons=(1, 5)).shape
        (1, 800, 2, 4)
    """
    longest = max(horizons)
    animals, time, neurons = aligned.mask.shape
    out = np.full((animals, time, len(horizons), neurons), np.nan, np.float32)
    # As many starts for every animal, so that there is one program.
    begin = np.maximum(np.asarray(first) - 1, 0)
    starts = begin[:, None] + np.arange(int((aligned.lengths - begin).max()))
    for a in range(animals):
        here = np.minimum(starts[a], time - 1)
        rows = here[:, None] + np.arange(-_WARM_UP, longest + 1)
        inside = (rows >= 0) & (rows < time)
        rows = np.clip(rows, 0, time - 1)
        known = aligned.mask[a][rows] & inside[:, :, None]
        known[:, _WARM_UP + 1 :] = False
        values = jnp.asarray(aligned.values[a][rows])
        dt = jnp.asarray(aligned.dt[a][rows], values.dtype)
        guess = np.asarray(_predict(estimator, values, jnp.asarray(known), dt))
        for k, h in enumerate(horizons):
            out[a, here, k] = guess[:, _WARM_UP + h - 1]
    return out
