"""Dense associative memories with exponential capacity."""

from typing import final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core import ContinuousDynamics, Parameter, as_parameter, frozen, unwrap
from neurojax.core.parameter_checks import check_positive
from neurojax.core.solvers import AbstractStepper, RungeKutta4


@final
class ModernHopfield(ContinuousDynamics):
    r"""A memory that is drawn to the stored pattern most like its state.

    $$\tau \dot q = -q + X^\top \mathrm{softmax}(\beta X q)$$

    with one stored pattern per row of $X$. A single update $q \leftarrow X^\top
    \mathrm{softmax}(\beta X q)$ retrieves a pattern almost exactly where $\beta$ is large; where it
    is small the state goes to an average of many patterns. Along the flow the `energy` never
    rises. The state is `{"q": (n,)}`; it begins at zero, or where `simulate` is told to
    (`state={"q": cue}`). The optional input `I_e` is added to the right hand side.

    Arguments:
        patterns: (patterns, n), kept as they are in training.
        beta: inverse temperature, positive.
        tau: time constant in ms.
        solver: default fourth-order Runge-Kutta.

    Raises:
        ValueError: for patterns that are no matrix, or beta or tau that is not positive.

    Source: Ramsauer et al. 2020, arXiv:2008.02217.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> memory = ModernHopfield(jnp.array([[1.0, 1.0], [1.0, -1.0]]), beta=4.0)
        >>> [round(float(q), 2) for q in memory.update(jnp.array([0.9, 0.7]))]
        [1.0, 0.99]
        >>> cue = {"q": jnp.array([0.9, 0.7])}
        >>> sim = nj.simulate(memory, duration=200.0, dt=1.0, state=cue, record={"q": "q"})
        >>> sim["q"][-1].round(2).tolist()
        [1.0, 1.0]
    """

    patterns: Parameter  # (patterns, n)
    beta: Parameter
    tau: Parameter
    solver: AbstractStepper

    def __init__(self, patterns, beta=1.0, *, tau=10.0, solver: AbstractStepper | None = None):
        patterns = np.asarray(patterns) if isinstance(patterns, list | tuple) else patterns
        self.patterns = frozen(as_parameter(patterns))
        self.beta = as_parameter(beta)
        self.tau = as_parameter(tau)
        self.solver = RungeKutta4() if solver is None else solver
        shape = jnp.shape(unwrap(self.patterns))
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"patterns must be an array (patterns, n), got shape {shape}")
        check_positive(self, "beta", "tau")

    def init_state(self, *, key=None) -> dict[str, Array]:
        """All of q at zero."""
        patterns = unwrap(self.patterns)
        return {"q": jnp.zeros(patterns.shape[1], patterns.dtype)}

    def drift(self, t, state, inputs) -> dict[str, Array]:
        """dq/dt per ms; see the class."""
        model, q = unwrap(self), state["q"]
        force = model.update(q) - q
        current = inputs.get("I_e")
        return {"q": (force if current is None else force + current) / model.tau}

    def update(self, q: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """The state after one whole update of the memory (the retrieval in one step)."""
        model = unwrap(self)
        return jax.nn.softmax(model.beta * (q @ model.patterns.T), axis=-1) @ model.patterns

    def energy(self, q: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
        r"""Never negative, and never rising along the flow or under `update`.

        $$E = -\tfrac{1}{\beta}\log\sum_i e^{\beta x_i\cdot q} + \tfrac12 |q|^2
          + \tfrac{1}{\beta}\log N + \tfrac12 \max_i |x_i|^2$$
        """
        model = unwrap(self)
        count = model.patterns.shape[0]
        overlap = jax.nn.logsumexp(model.beta * (q @ model.patterns.T), axis=-1)
        largest = jnp.max(jnp.sum(model.patterns**2, axis=1))
        return (np.log(count) - overlap) / model.beta + 0.5 * jnp.sum(q**2, axis=-1) + 0.5 * largest
