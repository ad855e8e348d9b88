"""Calcium imaging with an indicator of first order."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.core import Parameter, as_parameter, unwrap
from neurojax.core.tracing import is_traced

from .base import AbstractObservation


@final
class Calcium(AbstractObservation):
    r"""Fluorescence through first-order kinetics.

    $$\tau_c\,\dot c = V - c, \qquad F = \mathrm{gain}\cdot c + \mathrm{offset} + \mathrm{noise}$$

    Within a frame V is held, so the filter is exact: $c_t = a\,c_{t-1} + (1-a) V_t$ with
    $a = e^{-dt/\tau_c}$. It can be inverted for neurons that are seen:
    $V_t = (c_t - a\,c_{t-1})/(1 - a)$.

    Arguments:
        tau_c: time constant of the indicator, ms.
        gain: scalar or per neuron.
        offset: scalar or per neuron.
        noise_sd: standard deviation of independent noise per frame, in units of F.
        leaf: name of the state leaf that is seen, default `"V"`.

    Raises:
        ValueError: if `tau_c` is not positive, `gain` is 0 or `noise_sd` is negative.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> F = nj.observations.Calcium(tau_c=1000.0).observe(jnp.ones((3, 1)), dt=1000.0)
        >>> [round(float(x), 3) for x in F[:, 0]]
        [0.632, 0.865, 0.95]
    """

    tau_c: Parameter = eqx.field(converter=as_parameter, default=1000.0)
    gain: Parameter = eqx.field(converter=as_parameter, default=1.0)
    offset: Parameter = eqx.field(converter=as_parameter, default=0.0)
    noise_sd: Parameter = eqx.field(converter=as_parameter, default=0.0)
    leaf: str = eqx.field(static=True, default="V")

    def __check_init__(self):
        refused = {
            "tau_c": (lambda x: x > 0, "positive (ms)"),
            "gain": (lambda x: x != 0, "different from 0"),
            "noise_sd": (lambda x: x >= 0, "at least 0"),
        }
        for name, (fits, words) in refused.items():
            value = unwrap(getattr(self, name))
            if isinstance(value, jax.Array) and not is_traced(value) and not jnp.all(fits(value)):
                raise ValueError(f"{name} must be {words}, got {value}")

    def _keep(self, dt):
        return jnp.exp(-dt / self.tau_c)

    def begin(self, V: Array) -> Any:
        """Calcium in balance with V."""
        return V

    def advance(self, memory: Any, V: Array, dt) -> Any:
        """One frame of the filter."""
        a = self._keep(dt)
        return a * memory + (1.0 - a) * V

    def read(self, memory: Any) -> Array:
        """Fluorescence without noise."""
        return self.gain * memory + self.offset

    def set_known(self, memory: Any, values: Array, known: Array) -> Any:
        """Calcium from fluorescence where it is known."""
        return jnp.where(known, (values - self.offset) / self.gain, memory)

    def invert(self, memory: Any, values: Array, dt) -> Array:
        """V over the last frame, from fluorescence."""
        a = self._keep(dt)
        return ((values - self.offset) / self.gain - a * memory) / (1.0 - a)

    def observe(
        self, V: Float[Array, "time neuron"], dt, *, key=None
    ) -> Float[Array, "time neuron"]:
        """A recording of a trajectory; it starts from c = 0.

        Arguments:
            V: the state leaf at the end of each frame.
            dt: ms per frame, a number or one per frame.
            key: draws the noise; without it there is none.
        """
        model = unwrap(self)
        dts = jnp.broadcast_to(jnp.asarray(dt, V.dtype), V.shape[:1])

        def frame(c, x):
            c = model.advance(c, *x)
            return c, model.read(c)

        _, F = jax.lax.scan(frame, jnp.zeros_like(V[0]), (V, dts))
        if key is None:
            return F
        return F + model.noise_sd * jax.random.normal(key, F.shape, F.dtype)
