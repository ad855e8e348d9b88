"""Small circuits of which everything is known."""

import jax.numpy as jnp

import neurojax as nj
from neurojax.core import Dynamics, Output


class Additive(nj.ContinuousDynamics):
    """tau x' = -x + W tanh(g x) + b + u."""

    W: nj.Parameter = nj.parameter(required=True)
    gain: nj.Parameter = nj.parameter(1.0)
    tau: nj.Parameter = nj.parameter(1.0)
    solver: nj.solvers.AbstractStepper = nj.solvers.RungeKutta4()

    def init_state(self, *, key=None):
        return {"x": jnp.zeros(len(self.W))}

    def drift(self, t, state, inputs):
        x = state["x"]
        slope = self.W @ jnp.tanh(self.gain * x) - x
        if "u" in inputs:
            slope = slope + inputs["u"]
        return {"x": slope / self.tau}


class Linear(nj.ContinuousDynamics):
    """y' = A y; a state of two leaves and a counter that nothing moves."""

    A: nj.Parameter = nj.parameter(required=True)
    solver: nj.solvers.AbstractStepper = nj.solvers.RungeKutta4()

    def init_state(self, *, key=None):
        return {"a": jnp.zeros(1), "b": jnp.zeros(len(self.A) - 1), "n": jnp.zeros((), int)}

    def drift(self, t, state, inputs):
        y = self.A @ jnp.concatenate([state["a"], state["b"]])
        return {"a": y[:1], "b": y[1:], "n": None}


class Lorenz(nj.ContinuousDynamics):
    sigma: nj.Parameter = nj.parameter(10.0)
    rho: nj.Parameter = nj.parameter(28.0)
    beta: nj.Parameter = nj.parameter(8.0 / 3.0)
    solver: nj.solvers.AbstractStepper = nj.solvers.RungeKutta4()

    def init_state(self, *, key=None):
        return jnp.array([1.0, 1.0, 20.0])

    def drift(self, t, state, inputs):
        x, y, z = state
        return jnp.stack([self.sigma * (y - x), x * (self.rho - z) - y, x * y - self.beta * z])


class Ghost(nj.ContinuousDynamics):
    """x' = e + x^2, y' = -y: no fixed point for e > 0, a slow one at the origin."""

    e: nj.Parameter = nj.parameter(1e-3)
    solver: nj.solvers.AbstractStepper = nj.solvers.Euler()

    def init_state(self, *, key=None):
        return jnp.zeros(2)

    def drift(self, t, state, inputs):
        return jnp.stack([self.e + state[0] ** 2, -state[1]])


class Logistic(Dynamics):
    r: nj.Parameter = nj.parameter(4.0)

    def init_state(self, *, key=None):
        return jnp.full(1, 0.3)

    def step(self, state, inputs, clock):
        return self.r * state * (1.0 - state), Output()
