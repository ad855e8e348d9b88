"""Autonomous activity that wanders from clique to clique of a graph."""

from itertools import pairwise
from typing import Any, NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from neurojax.core import ContinuousDynamics, Parameter, as_parameter, unwrap
from neurojax.core.parameter_checks import check_positive
from neurojax.core.solvers import AbstractStepper, RungeKutta4


@final
class TransientStates(ContinuousDynamics):
    r"""Units whose cliques win, tire, and give way to another, without any input.

    $$\tau \dot x_i = \begin{cases} (1 - x_i)\,r_i & r_i > 0 \\ x_i\,r_i & r_i \le 0 \end{cases},
      \qquad r_i = \sum_j \big[f_w(\varphi_i)\,w_{ij} - f_z(\varphi_j)\,z_{ij}\big] x_j + I_i$$

    $$\tau \dot\varphi_i = \begin{cases} \Gamma_+ (1 - \varphi_i)(1 - x_i/x_c) & x_i < x_c \\
      -\Gamma_-\,\varphi_i & x_i \ge x_c \end{cases}$$

    The activities x lie in [0, 1]. Two units that the graph joins excite each other (w), two that
    it does not join inhibit each other (z). With full reservoirs $\varphi = 1$ (where
    $f_w = f_z = 1$) the stable states are the maximal cliques of the graph: all members at 1, all
    others at 0; this holds for every graph of n units if $w\,(n - 2) < z$. Activity empties the
    reservoir of a unit slowly; then it is excited less ($f_w$) and inhibits less ($f_z$), and a
    coalition with full reservoirs takes over, so that the activity goes from clique to clique; in
    between, parts of a clique are active for a short time. With $\Gamma_\pm = 0$ the reservoirs
    stay as they are and the first winner stays too.

    Both f rise from $f(0) = f^{min}$ to $f(1) = 1$ as a logistic function of
    $(\varphi - \varphi_c)/\delta$, shifted and scaled. Growth rates reach $n z / \tau$: choose a dt
    well below the inverse. The state is `{"x": (n,), "phi": (n,)}`; it begins with full
    reservoirs and activities spread over (0, 1), at random with a key.

    Arguments:
        graph: (n, n), symmetric, `True` where two units are joined; the diagonal has no effect.
        w: strength of excitation along the links, scalar or (n, n) [to, from].
        z: strength of inhibition where there is no link, scalar or (n, n) [to, from].
        Gamma_plus: $\Gamma_+$, how fast reservoirs fill.
        Gamma_minus: $\Gamma_-$, how fast they empty.
        x_c: the activity above which a reservoir empties.
        f_w_min: $f_w^{min}$.
        f_z_min: $f_z^{min}$.
        phi_w: $\varphi_c$ of $f_w$.
        phi_z: $\varphi_c$ of $f_z$.
        width: $\delta$ of both.
        tau: the unit of time in ms.
        solver: default fourth-order Runge-Kutta.

    Inputs: `I_e`, added to the growth rates r, scalar or (n,).

    Raises:
        ValueError: for a graph that is not square and symmetric; strengths, x_c, width or tau that
            are not positive; negative rates of the reservoirs.

    Source: Gros (2007), New Journal of Physics 9:109; Gros and Kaczor (2010), Logic Journal of the
    IGPL 18:686. The sigmoids there are of another form.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> graph = np.array([[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 1], [0, 0, 1, 0]], bool)
        >>> circuit = nj.circuits.TransientStates(graph)
        >>> circuit.cliques()
        [(0, 1, 2), (2, 3)]
        >>> sim = nj.simulate(circuit, duration=15000.0, dt=5.0, record={"x": "x"})
        >>> winners = nj.circuits.winning_coalitions(sim["x"], least=100)
        >>> sorted({coalition.members for coalition in winners})
        [(0, 1, 2), (2, 3)]
    """

    graph: Bool[Array, "n n"]
    w: Parameter
    z: Parameter
    Gamma_plus: Parameter
    Gamma_minus: Parameter
    x_c: Parameter
    f_w_min: Parameter
    f_z_min: Parameter
    phi_w: Parameter
    phi_z: Parameter
    width: Parameter
    tau: Parameter
    solver: AbstractStepper

    def __init__(
        self,
        graph: Any,
        *,
        w: Any = 0.15,
        z: Any = 1.0,
        Gamma_plus: Any = 0.004,
        Gamma_minus: Any = 0.009,
        x_c: Any = 0.85,
        f_w_min: Any = 0.05,
        f_z_min: Any = 0.0,
        phi_w: Any = 0.7,
        phi_z: Any = 0.15,
        width: Any = 0.05,
        tau: Any = 10.0,
        solver: AbstractStepper | None = None,
    ):
        found = np.asarray(graph)
        if found.ndim != 2 or found.shape[0] != found.shape[1] or not found.size:
            raise ValueError(f"graph must be a square matrix, got shape {found.shape}")
        joined = (found != 0) & ~np.eye(len(found), dtype=bool)
        if not (joined == joined.T).all():
            raise ValueError("graph must be symmetric: a link joins two units both ways")
        self.graph = jnp.asarray(joined)
        self.w, self.z = as_parameter(w), as_parameter(z)
        self.Gamma_plus, self.Gamma_minus = as_parameter(Gamma_plus), as_parameter(Gamma_minus)
        self.x_c, self.width, self.tau = as_parameter(x_c), as_parameter(width), as_parameter(tau)
        self.f_w_min, self.f_z_min = as_parameter(f_w_min), as_parameter(f_z_min)
        self.phi_w, self.phi_z = as_parameter(phi_w), as_parameter(phi_z)
        self.solver = RungeKutta4() if solver is None else solver
        for name in ("w", "z"):
            shape = jnp.shape(unwrap(getattr(self, name)))
            if shape not in ((), joined.shape):
                raise ValueError(f"{name} must be a scalar or {joined.shape}, got shape {shape}")
        check_positive(self, "w", "z", "x_c", "width", "tau")
        check_positive(self, "Gamma_plus", "Gamma_minus", zero=True)

    def init_state(self, *, key=None) -> dict[str, Array]:
        """Activities spread over (0, 1), at random with a key, and full reservoirs."""
        n, dtype = self.graph.shape[0], jnp.result_type(unwrap(self.w))
        if key is None:
            x = jnp.asarray(0.618 * np.arange(1, n + 1) % 1.0, dtype)
        else:
            x = jax.random.uniform(key, (n,), dtype)
        return {"x": x, "phi": jnp.ones(n, dtype)}

    def drift(self, t, state, inputs) -> dict[str, Array]:
        """dx/dt and dphi/dt per ms; see the class."""
        model, x, phi = unwrap(self), state["x"], state["phi"]
        r = self.growth(x, phi) + inputs.get("I_e", 0.0)
        moving = jnp.where(r > 0, (1.0 - x) * r, x * r)
        filling = model.Gamma_plus * (1.0 - phi) * (1.0 - x / model.x_c)
        emptied = jnp.where(x < model.x_c, filling, -model.Gamma_minus * phi)
        return {"x": moving / model.tau, "phi": emptied / model.tau}

    def growth(self, x: Float[Array, " n"], phi: Float[Array, " n"]) -> Float[Array, " n"]:
        """The growth rates r of the activities, without input."""
        model = unwrap(self)
        apart = ~self.graph & ~jnp.eye(self.graph.shape[0], dtype=bool)
        excited = jnp.where(self.graph, model.w, 0.0) @ x
        inhibited = jnp.where(apart, model.z, 0.0) @ (model._f(model.f_z_min, model.phi_z, phi) * x)
        return model._f(model.f_w_min, model.phi_w, phi) * excited - inhibited

    def cliques(self) -> list[tuple[int, ...]]:
        """The maximal cliques of the graph, sorted; found by networkx."""
        import networkx

        graph = networkx.from_numpy_array(np.asarray(self.graph, int))
        return sorted(tuple(sorted(clique)) for clique in networkx.find_cliques(graph))

    def _f(self, least, middle, phi):
        at = lambda phi: jax.nn.sigmoid((phi - middle) / self.width)
        return least + (1.0 - least) * (at(phi) - at(0.0)) / (at(1.0) - at(0.0))


class Coalition(NamedTuple):
    """Units that were active together.

    Arguments:
        start: the first step.
        stop: the step after the last one.
        members: numbers of the units, rising.

    Example:
        >>> Coalition(0, 20, (1, 2)).members
        (1, 2)
    """

    start: int
    stop: int
    members: tuple[int, ...]


def winning_coalitions(
    x: Float[Array, "time n"] | Float[np.ndarray, "time n"],
    *,
    threshold: float = 0.85,
    least: int = 10,
) -> list[Coalition]:
    """The coalitions that followed each other, on the host.

    Arguments:
        x: activities over time.
        threshold: above it a unit is a member.
        least: steps that a coalition must last; shorter ones belong to a transition.

    Returns:
        First and last step (exclusive) and members of each; one that is interrupted by a transition
        alone and returns counts again.

    Raises:
        ValueError: for a number of steps that is not positive.

    Example:
        >>> import numpy as np
        >>> x = np.repeat([[1.0, 1.0, 0.0], [0.0, 0.5, 0.0], [0.0, 1.0, 1.0]], [20, 5, 30], axis=0)
        >>> [tuple(c) for c in winning_coalitions(x)]
        [(0, 20, (0, 1)), (25, 55, (1, 2))]
    """
    if least < 1:
        raise ValueError(f"least must be at least 1 step, got {least}")
    active = np.asarray(x) > threshold
    changes = np.flatnonzero((active[1:] != active[:-1]).any(axis=1)) + 1
    edges = [0, *changes.tolist(), len(active)]
    return [
        Coalition(a, b, tuple(np.flatnonzero(active[a]).tolist()))
        for a, b in pairwise(edges)
        if b - a >= least and active[a].any()
    ]
