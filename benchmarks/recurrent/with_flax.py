"""The training step in flax (linen): `SimpleCell`, or the same cell by hand where it leaks."""

import platform
import sys
from pathlib import Path

import flax
import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

sys.path.insert(0, str(Path(__file__).parents[1] / "simulators"))
from protocol import Stopwatch, serve
from training_problem import RATE, problem

built = {}


class Leaky(nn.RNNCellBase):
    """A cell with a leak, as `SimpleCell` with its two products."""

    n: int
    leak: float

    @nn.compact
    def __call__(self, h, u):
        total = nn.Dense(self.n, name="i")(u) + nn.Dense(self.n, use_bias=False, name="h")(h)
        h = h + self.leak * (jnp.tanh(total) - h)
        return h, h

    @nn.nowrap
    def initialize_carry(self, rng, input_shape):
        return jnp.zeros((*input_shape[:-1], self.n))

    @property
    def num_feature_axes(self):
        return 1


class Model(nn.Module):
    n: int
    leak: float

    @nn.compact
    def __call__(self, u):
        cell = nn.SimpleCell(self.n) if self.leak == 1.0 else Leaky(self.n, self.leak)
        return nn.Dense(2, name="out")(nn.RNN(cell, name="rnn")(u))


def build(n, steps, batch, leak):
    """Parameters, and the compiled training step."""
    p = {k: jnp.asarray(v) for k, v in problem(n, steps, batch).items()}
    model = Model(n, leak)
    parameters = jax.jit(model.init)(jax.random.key(0), p["u"])
    cell = parameters["params"]["SimpleCell_0" if leak == 1.0 else "Leaky_0"]
    cell["i"]["kernel"], cell["h"]["kernel"] = p["B"].T, p["W"].T
    parameters["params"]["out"]["kernel"] = p["out"].T
    optimizer = optax.sgd(RATE)

    @jax.jit
    def step(parameters, state):
        loss = lambda q: jnp.mean((model.apply(q, p["u"]) - p["targets"]) ** 2)
        value, slope = jax.value_and_grad(loss)(parameters)
        change, state = optimizer.update(slope, state, parameters)
        return optax.apply_updates(parameters, change), state, value

    with Stopwatch() as watch:
        built["now"] = step(parameters, optimizer.init(parameters))
        first = float(built["now"][2])
    built["step"] = step
    versions = {"flax": flax.__version__, "jax": jax.__version__,
                "python": platform.python_version()}  # fmt: skip
    return {"losses": [first], "compile_s": watch.cpu, "versions": versions}


def run(steps):
    """Training steps."""
    losses = []
    with Stopwatch() as watch:
        for _ in range(steps):
            built["now"] = built["step"](*built["now"][:2])
            losses.append(float(built["now"][2]))
    return {"cpu_s": watch.cpu / steps, "wall_s": watch.wall / steps, "losses": losses}


if __name__ == "__main__":
    serve(build, run)
