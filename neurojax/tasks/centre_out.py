"""Reaches in many directions, produced by a circuit of excitation and inhibition."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.circuits.nonlinearities import Hennequin
from neurojax.circuits.rate_rnn import RateRNN
from neurojax.circuits.stability_optimised import evoked_energy_modes, soc200
from neurojax.core import Trace, simulate, unwrap
from neurojax.core.keys import check_key, own_or_first
from neurojax.core.random import host_generator
from neurojax.core.solvers import RungeKutta4

from . import _timing
from .scores import r2
from .task import Task
from .trials import Trials

_FINE = 1.0  # ms, the longest step of the integration


@final
class CentreOutReach(Task):
    r"""Muscle-like outputs for reaches in all directions, with the circuit that makes them.

    A stability-optimised circuit of n units is released from a state that depends on the angle
    $\theta$ of the reach, and two muscles read its excitatory units:

    $$\tau\dot x = -x + W f(x),\quad
      x(0) = A\sqrt n\,(u_1 \cos\theta + u_2 \sin\theta),\quad z = M f(x_E)$$

    with $f$ of `Hennequin` and $u_1, u_2$ the two directions of the highest evoked energy. During
    the cue the units rise smoothly to $x(0)$, as $\sin^2$ of a quarter of a turn, and the
    movement begins when it ends. Sample k of targets and activity is that at the end of step k.

    The reaches are evenly spaced angles, computed once: `all()` gives them in order, `subset(k)`
    every k-th, `left_out(k)` the others; `trial` draws one. `at(angles)` computes any others.

    Inputs: $\cos\theta$, $\sin\theta$ and 1 during the cue, then zero. Outputs: two muscles, with
    a root mean square of 1 over all reaches; they count during the movement only. Activity: the
    rates of all n units in Hz, as deviations from the baseline. Conditions: `angle` (radians).
    Score: the $R^2$ of the muscles during the movement (`r2`), which may be negative.

    Arguments:
        weights: W [to, from] with the excitatory units in the first half; default `soc200()`.
        reaches: number of angles.
        amplitude: A, root mean square of the initial state over units.
        cue: ms.
        movement: ms.
        tau: time constant of the circuit in ms.
        nonlinearity: $f$; default `Hennequin()`.
        key: draws M; default key 0.
        dt: ms per step.

    Raises:
        ValueError: for weights that are not square or not stable, or a duration that makes no
            sense.

    Source: Salatiello and Giese 2020, arXiv:2005.02211; the circuit Hennequin, Vogels, Gerstner
    2014 *Neuron* 82:1394.

    Example:
        >>> from neurojax.tasks.centre_out import CentreOutReach
        >>> task = CentreOutReach(reaches=4, movement=100.0)
        >>> trials = task.all()
        >>> trials.inputs.shape, trials.targets.shape, trials.activity.shape
        ((4, 60, 3), (4, 60, 2), (4, 60, 200))
        >>> len(CentreOutReach(movement=100.0).subset(every=4))
        7
    """

    circuit: RateRNN
    modes: Float[Array, "2 n"]
    readout: Float[Array, "2 excitatory"]
    angles: Float[Array, " reaches"]
    activity: Float[Array, "reaches time n"]
    amplitude: Float[Array, ""]
    cue: float = eqx.field(static=True)
    movement: float = eqx.field(static=True)
    dt: float = eqx.field(static=True)

    def __init__(
        self,
        weights: Any = None,
        *,
        reaches: int = 27,
        amplitude: Any = 7.5,
        cue: float | int = 200.0,
        movement: float | int = 500.0,
        tau: Any = 200.0,
        nonlinearity: Any = None,
        key: Any = None,
        dt: float | int = 5.0,
    ):
        weights = soc200() if weights is None else np.asarray(weights, float)
        if weights.ndim != 2 or weights.shape[0] != weights.shape[1] or len(weights) % 2:
            raise ValueError(
                "weights must be square [to, from], with as many excitatory units (first) as "
                f"inhibitory ones, got shape {weights.shape}"
            )
        if isinstance(reaches, bool) or not isinstance(reaches, int) or reaches < 1:
            raise ValueError(f"reaches must be a positive whole number, got {reaches!r}")
        self.cue, self.movement, self.dt = float(cue), float(movement), float(dt)
        _timing.check_dt(self)
        for name in ("cue", "movement"):
            _timing.steps(self, name)
        n = len(weights)
        self.circuit = RateRNN(
            n, recurrent=jnp.asarray(weights), tau=tau, solver=RungeKutta4(),
            nonlinearity=Hennequin() if nonlinearity is None else nonlinearity,
        )  # fmt: skip
        self.modes = jnp.asarray(evoked_energy_modes(weights)[1][:, :2].T)
        self.amplitude = jnp.asarray(amplitude, float)
        self.angles = jnp.arange(reaches) * (2.0 * jnp.pi / reaches)
        self.activity = self._rates(self.angles)
        rng = host_generator(own_or_first(key))
        drawn = rng.standard_normal((2, n // 2)) / np.sqrt(n // 2)
        moving = np.asarray(self.activity[:, self._cue_steps :, : n // 2], np.float64) @ drawn.T
        scale = np.sqrt(np.mean(moving**2, axis=(0, 1)))
        self.readout = jnp.asarray(drawn / scale[:, None], self.activity.dtype)

    @property
    def inputs(self) -> int:
        """Three: cosine and sine of the angle, and the cue itself."""
        return 3

    @property
    def outputs(self) -> int:
        """Two muscles."""
        return 2

    @property
    def steps(self) -> int:
        """Number of time steps: cue and movement."""
        return self._cue_steps + _timing.steps(self, "movement")

    @property
    def _cue_steps(self) -> int:
        return _timing.steps(self, "cue")

    def initial_states(self, angles: Float[Array, " k"]) -> Float[Array, "k n"]:
        """The states of the circuit from which reaches at these angles (radians) begin."""
        turn = jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)
        return self.amplitude * np.sqrt(self.modes.shape[1]) * (turn @ self.modes)

    def at(self, angles: Float[Array, " k"]) -> Trials:
        """One trial for each of these angles (radians), in order."""
        return self._trials(angles, self._rates(angles))

    def all(self) -> Trials:
        """One trial for each reach, in order of the angle."""
        return self._trials(self.angles, self.activity)

    def subset(self, every: int) -> Trials:
        """Every so many-th reach, beginning with the first: 7 of 27 for 4, 5 of 27 for 6.

        Raises:
            ValueError: if `every` is not a whole number of at least 1.
        """
        return self.all()[self._chosen(every)]

    def left_out(self, every: int) -> Trials:
        """The reaches that are not in `subset(every)`.

        Raises:
            ValueError: if `every` is not a whole number of at least 2 (1 leaves none out).
        """
        if every == 1:
            raise ValueError("every must be at least 2: with 1 no reach is left out")
        return self.all()[~self._chosen(every)]

    def trial(self, key) -> Trials:
        """One of the reaches, drawn evenly."""
        check_key(key)
        which = jax.random.randint(key, (1,), 0, self.angles.shape[0])
        drawn = self._trials(self.angles[which], self.activity[which])
        return drawn[0]

    def score(self, trials: Trials, outputs: Any) -> Array:
        """The R2 of the muscles during the movement; 1 is best."""
        return r2(trials, outputs)

    def _chosen(self, every: int) -> np.ndarray:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"every must be a whole number of at least 1, got {every!r}")
        return np.arange(self.angles.shape[0]) % every == 0

    def _rates(self, angles) -> Array:
        """Rates of all units for each angle over cue and movement, (k, time, n)."""
        fine = -(-self.dt // _FINE)
        circuit, nonlinearity = self.circuit, unwrap(self.circuit.nonlinearity)

        def movement(x0):
            run = simulate(
                circuit, duration=self.movement, dt=self.dt / fine, state={"x": x0},
                record={"x": Trace("x", every=int(fine))},
            )  # fmt: skip
            return run["x"]

        starts = self.initial_states(angles)
        moving = jax.vmap(movement)(starts)
        rise = jnp.sin(0.5 * jnp.pi * jnp.arange(1, self._cue_steps + 1) / self._cue_steps) ** 2
        preparing = rise[None, :, None].astype(starts.dtype) * starts[:, None, :]
        return nonlinearity(jnp.concatenate([preparing, moving.astype(starts.dtype)], axis=1))

    def _trials(self, angles, activity) -> Trials:
        count = angles.shape[0]
        cued = (jnp.arange(self.steps) < self._cue_steps).astype(activity.dtype)
        signal = jnp.stack([jnp.cos(angles), jnp.sin(angles), jnp.ones_like(angles)], axis=1)
        inputs = cued[None, :, None] * signal[:, None, :].astype(activity.dtype)
        targets = activity[..., : self.readout.shape[1]] @ self.readout.T
        mask = jnp.broadcast_to(1.0 - cued, (count, self.steps))
        return Trials(inputs, targets, mask, {"angle": angles}, dt=self.dt, activity=activity)
