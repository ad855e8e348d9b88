"""Models that are small enough to be solved by hand, written against the contract alone."""

import contextlib

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import neurojax as nj

Solver = nj.solvers.AbstractStepper


class Relaxation(nj.ContinuousDynamics):
    """dV/dt = (E - V) / tau + I."""

    E: nj.Parameter = nj.parameter(-2.0)
    tau: nj.Parameter = nj.parameter(5.0)
    solver: Solver = nj.solvers.Heun()
    n: int = eqx.field(static=True, default=2)

    def init_state(self, *, key=None):
        return {"V": jnp.linspace(1.0, 2.0, self.n)}

    def drift(self, t, state, inputs):
        return {"V": (self.E - state["V"]) / self.tau + inputs.get("I", 0.0)}


class Oscillator(nj.ContinuousDynamics):
    """The FitzHugh-Nagumo oscillator: nonlinear, smooth, two variables."""

    a: nj.Parameter = nj.parameter(0.7)
    b: nj.Parameter = nj.parameter(0.8)
    tau: nj.Parameter = nj.parameter(12.5)
    solver: Solver = nj.solvers.RungeKutta4()
    n: int = eqx.field(static=True, default=2)

    def init_state(self, *, key=None):
        return {"V": jnp.linspace(0.0, 1.0, self.n), "w": jnp.zeros(self.n)}

    def drift(self, t, state, inputs):
        V, w = state["V"], state["w"]
        return {
            "V": V - V**3 / 3 - w + inputs.get("I", 0.0),
            "w": (V + self.a - self.b * w) / self.tau,
        }

    @staticmethod
    def numpy_drift(y, I, a=0.7, b=0.8, tau=12.5):
        V, w = y
        return np.array([V - V**3 / 3 - w + I, (V + a - b * w) / tau])


class RateCircuit(nj.ContinuousDynamics):
    """dx/dt = -x / tau + W tanh(x): coupled, so the Jacobian is not diagonal."""

    W: nj.Parameter = nj.parameter(required=True)
    tau: nj.Parameter = nj.parameter(3.0)
    solver: Solver = nj.solvers.Heun()

    def init_state(self, *, key=None):
        return jnp.linspace(-1.0, 1.0, self.W.shape[0])

    def drift(self, t, state, inputs):
        return -state / self.tau + self.W @ jnp.tanh(state) + inputs.get("I", 0.0)


class RateCircuitWithDecay(nj.ContinuousDynamics):
    """The same circuit, which also gives the diagonal of its Jacobian."""

    W: nj.Parameter = nj.parameter(required=True)
    tau: nj.Parameter = nj.parameter(3.0)
    solver: Solver = nj.solvers.ExponentialEuler()

    init_state = RateCircuit.init_state
    drift = RateCircuit.drift

    def decay(self, t, state, inputs):
        return 1 / self.tau - jnp.diagonal(self.W) * (1 - jnp.tanh(state) ** 2)


class LinearCell(nj.ContinuousDynamics):
    """A membrane driven by an exponential current: linear, one matrix per neuron."""

    tau_m: nj.Parameter = nj.parameter(10.0)
    tau_syn: nj.Parameter = nj.parameter(5.0)
    solver: Solver = nj.solvers.Propagator()
    n: int = eqx.field(static=True, default=3)

    def init_state(self, *, key=None):
        return {"V": jnp.linspace(0.0, 1.0, self.n), "I": jnp.linspace(2.0, 1.0, self.n)}

    def drift(self, t, state, inputs):
        V, I = state["V"], state["I"]
        return {"V": -V / self.tau_m + I + inputs.get("I_e", 0.0), "I": -I / self.tau_syn}


class OrnsteinUhlenbeck(nj.ContinuousDynamics):
    """dx = (mu - x) dt / tau + sigma dW, whose stationary variance is sigma^2 tau / 2."""

    mu: nj.Parameter = nj.parameter(1.0)
    tau: nj.Parameter = nj.parameter(4.0)
    sigma: nj.Parameter = nj.parameter(0.5)
    solver: Solver = nj.solvers.EulerMaruyama()
    n: int = eqx.field(static=True, default=4)

    def init_state(self, *, key=None):
        x = jnp.full(self.n, self.mu)
        if key is None:
            return x
        return x + self.sigma * jnp.sqrt(self.tau / 2) * jax.random.normal(key, (self.n,))

    def drift(self, t, state, inputs):
        return (self.mu - state) / self.tau

    def diffusion(self, t, state, inputs):
        return self.sigma


class GeometricBrownianMotion(nj.ContinuousDynamics):
    """dx = a x dt + b x dW: the Ito and the Stratonovich solution differ."""

    a: nj.Parameter = nj.parameter(0.1)
    b: nj.Parameter = nj.parameter(0.5)
    solver: Solver = nj.solvers.EulerMaruyama()
    n: int = eqx.field(static=True, default=1)

    def init_state(self, *, key=None):
        return jnp.ones(self.n)

    def drift(self, t, state, inputs):
        return self.a * state

    def diffusion(self, t, state, inputs):
        return self.b * state


class HodgkinHuxley(nj.ContinuousDynamics):
    """The squid axon; spikes are upward crossings of 0 mV, `armed` is kept by `begin`."""

    g_Na: nj.Parameter = nj.parameter(120.0)
    g_K: nj.Parameter = nj.parameter(36.0)
    g_L: nj.Parameter = nj.parameter(0.3)
    I: nj.Parameter = nj.parameter(10.0)
    solver: Solver = nj.solvers.Heun()
    n: int = eqx.field(static=True, default=1)

    def init_state(self, *, key=None):
        one = jnp.ones(self.n)
        return {
            "V": -65.0 * one,
            "m": 0.05 * one,
            "h": 0.6 * one,
            "n": 0.32 * one,
            "armed": jnp.ones(self.n, bool),
        }

    def begin(self, state, clock):
        return state | {"armed": state["V"] <= 0.0}

    def emit(self, state, clock):
        return nj.Output(spikes=nj.SpikeOutput(state["V"], 0.0, state["armed"]))

    def drift(self, t, state, inputs):
        V, m, h, n = state["V"], state["m"], state["h"], state["n"]
        current = self.I + inputs.get("I", 0.0)
        rates = hodgkin_huxley(jnp, V, m, h, n, current, self.g_Na, self.g_K, self.g_L)
        return dict(zip(("V", "m", "h", "n"), rates, strict=True)) | {"armed": None}


def hodgkin_huxley(np, V, m, h, n, I, g_Na=120.0, g_K=36.0, g_L=0.3):
    """The rates of V, m, h and n, for numpy or jax.numpy; away from V = -40 and V = -55."""
    alpha_m = -0.1 * (V + 40) / np.expm1(-(V + 40) / 10)
    alpha_n = -0.01 * (V + 55) / np.expm1(-(V + 55) / 10)
    alpha_h = 0.07 * np.exp(-(V + 65) / 20)
    beta_m = 4 * np.exp(-(V + 65) / 18)
    beta_n = 0.125 * np.exp(-(V + 65) / 80)
    beta_h = 1 / (1 + np.exp(-(V + 35) / 10))
    return (
        I - g_Na * m**3 * h * (V - 50) - g_K * n**4 * (V + 77) - g_L * (V + 54.4),
        alpha_m * (1 - m) - beta_m * m,
        alpha_h * (1 - h) - beta_h * h,
        alpha_n * (1 - n) - beta_n * n,
    )


@contextlib.contextmanager
def count_traces():
    """How often the fixed-step engine is traced inside a `with` block."""
    from neurojax.core.fixed_step import run_steps

    size = run_steps._cached._cache_size
    before = size()
    yield lambda: size() - before


def primitives(jaxpr):
    """The names of all primitives outside and inside of the loops of a jaxpr."""
    outside, inside = set(), set()
    for eqn in jaxpr.eqns:
        outside.add(eqn.primitive.name)
        for value in eqn.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    found = primitives(inner)
                    if eqn.primitive.name in ("scan", "while"):
                        inside |= found[0] | found[1]
                    else:
                        outside, inside = outside | found[0], inside | found[1]
    return outside, inside
