"""Blocks: parts with graded coupling are advanced jointly."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import small_models as models

import neurojax as nj

S = nj.solvers


class Tanh(nj.AbstractCoupling):
    """W tanh(V) of the source, written against the contract alone."""

    source: str
    target: str
    W: nj.Parameter
    port: str = "I"

    def current(self, source, target):
        return self.W @ jnp.tanh(source["V"])


W = np.array([[0.4, -0.9], [1.2, 0.3]])


def couplings():
    return (Tanh("left", "right", jnp.array(W)), Tanh("right", "left", jnp.array(-W.T)))


def two(**arguments):
    parts = {"left": models.Oscillator(), "right": models.Oscillator(a=0.2)}
    return nj.Block(parts, couplings(), **arguments)


class SteppedApart(nj.Dynamics):
    """The same parts, each stepped alone with the other frozen over the step."""

    block: nj.Block

    def init_state(self, *, key=None):
        return self.block.init_state(key=key)

    def step(self, state, inputs, clock):
        inputs = {name: {"I": jnp.zeros(2)} for name in self.block.parts}
        for c in self.block.couplings:
            current = c.current(state[c.source], state[c.target])
            inputs[c.target] = {"I": inputs[c.target]["I"] + current}
        moved = {
            name: part.step(state[name], inputs[name], clock.child(name))[0]
            for name, part in self.block.parts.items()
        }
        return moved, nj.Output()


def truth(duration):
    def f(t, y):
        V, w = y.reshape(2, 2, 2).transpose(1, 0, 2)  # [part, neuron]
        currents = np.stack([-W.T @ np.tanh(V[1]), W @ np.tanh(V[0])])
        a = np.array([[0.7], [0.2]])
        rates = models.Oscillator.numpy_drift((V, w), currents, a=a)
        return rates.transpose(1, 0, 2).ravel()

    y0 = np.array([[[0.0, 1.0], [0.0, 0.0]]] * 2).ravel()
    solution = scipy.integrate.solve_ivp(
        f, (0, duration), y0, method="DOP853", rtol=1e-12, atol=1e-12
    )
    return solution.y[:, -1].reshape(2, 2, 2)


def errors(model, dts, duration=10.0, **arguments):
    found, exact = [], truth(duration)
    for dt in dts:
        state = nj.simulate(model, duration=duration, dt=dt, **arguments).final_state.state
        values = np.array([[state[p]["V"], state[p]["w"]] for p in ("left", "right")])
        found.append(np.max(np.abs(values - exact)))
    return np.array(found)


def test_order_of_a_block_and_of_parts_stepped_apart():
    """Heun is second order on the block and first order part by part: why blocks exist."""
    dts = [0.1, 0.05, 0.025]
    order = lambda e: np.log2(e[:-1] / e[1:])
    joint = errors(two(), dts, solver=S.Heun())
    assert np.all(np.abs(order(joint) - 2) < 0.15)
    apart = errors(SteppedApart(two()), dts, solver=S.Heun())
    assert np.all(np.abs(order(apart) - 1) < 0.15)
    fourth = errors(two(), [0.2, 0.1])
    assert np.all(np.abs(order(fourth) - 4) < 0.3)


def test_solver_of_the_block_rules():
    """Else that of the parts, here of fourth order."""
    heun = errors(two(solver=S.Heun()), [0.1])[0]
    assert errors(two(), [0.1])[0] < 0.01 * heun
    assert heun == errors(two(), [0.1], solver=S.Heun())[0]


@pytest.mark.parametrize(
    ("left", "right", "joint"),
    [
        (S.RungeKutta4(), S.RungeKutta4(), S.RungeKutta4),
        (S.Midpoint(), S.Midpoint(), S.Midpoint),
        (S.Ralston(), S.Ralston(), S.Ralston),
        (S.DiffraxStepper(diffrax.Tsit5()), S.DiffraxStepper(diffrax.Tsit5()), S.DiffraxStepper),
        (S.DiffraxStepper(diffrax.Euler()), S.DiffraxStepper(diffrax.Euler()), S.Heun),
        (S.DiffraxStepper(diffrax.Tsit5()), S.DiffraxStepper(diffrax.Dopri5()), S.Heun),
        (S.RungeKutta4(), S.Ralston(), S.Heun),
        (S.Euler(), S.Euler(), S.Heun),
        (S.ExponentialEuler(), S.ExponentialEuler(), S.Heun),
    ],
)
def test_parts_with_one_solver_keep_it(left, right, joint):
    parts = {"left": models.Oscillator(solver=left), "right": models.Oscillator(solver=right)}
    parts["right"] = eqx.tree_at(lambda part: part.a, parts["right"], jnp.asarray(0.2))
    block = nj.Block(parts, couplings())
    assert type(block.solver) is joint
    most = {S.RungeKutta4: 1e-5, S.DiffraxStepper: 1e-7}.get(joint, 1e-2)
    assert errors(block, [0.05])[0] < most
    net = nj.Network(parts, [], couplings())
    assert type(net.block_solvers["left+right"]) is joint


def test_parts_with_noise_move_by_a_method_that_knows_noise():
    parts = {name: models.OrnsteinUhlenbeck(n=5, solver=S.RungeKutta4()) for name in "ab"}
    block = nj.Block(parts)
    assert type(block.solver) is S.Heun
    nj.simulate(block, duration=1.0, dt=0.1, key=jax.random.key(0))


def test_blocks_nest():
    inner = two()
    nested = nj.Block({"pair": inner, "alone": models.Oscillator()}, ())
    run = nj.simulate(nested, duration=5.0, dt=0.1, record={"V": "pair.left.V", "one": "alone.V"})
    flat = nj.simulate(inner, duration=5.0, dt=0.1, record={"V": "left.V"})
    np.testing.assert_allclose(run["V"], flat["V"], rtol=1e-12)
    assert run["one"].shape == (50, 2)


def test_inputs_reach_their_part():
    sine = nj.inputs.Sine(0.3, frequency=20.0)
    alone = nj.simulate(models.Oscillator(), duration=5.0, dt=0.1, inputs={"I": sine})
    block = nj.Block({"a": models.Oscillator(), "b": models.Oscillator()})
    both = nj.simulate(block, duration=5.0, dt=0.1, inputs={"b": {"I": sine}})
    np.testing.assert_allclose(
        both.final_state.state["b"]["V"], alone.final_state.state["V"], rtol=1e-12
    )
    assert not np.allclose(both.final_state.state["a"]["V"], both.final_state.state["b"]["V"])


def test_noise_of_the_parts_is_independent_and_integrated():
    parts = {name: models.OrnsteinUhlenbeck(n=3000) for name in "ab"}
    block = nj.Block(parts | {"quiet": models.Relaxation()})
    run = nj.simulate(block, duration=2.0, dt=0.1, key=jax.random.key(0))
    a, b = run.final_state.state["a"], run.final_state.state["b"]
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(3000)
    assert np.std(a) == pytest.approx(0.5 * np.sqrt(2.0), rel=0.1)
    with pytest.raises(ValueError, match="has noise"):
        nj.simulate(block, duration=1.0, dt=0.1, solver=S.RungeKutta4(), key=jax.random.key(0))


def test_initial_states_of_parts_use_different_keys():
    parts = {name: models.OrnsteinUhlenbeck() for name in "ab"}
    state = nj.Block(parts).init_state(key=jax.random.key(0))
    assert not np.any(state["a"] == state["b"])


class Resetting(nj.ContinuousDynamics):
    """Jumps to 0 after it has passed 1; what others see is the jump already made."""

    rate: nj.Parameter = nj.parameter(0.3)
    solver: models.Solver = S.Euler()

    def init_state(self, *, key=None):
        return {"V": jnp.zeros(1)}

    def visible(self, state):
        return {"V": jnp.where(state["V"] > 1.0, 0.0, state["V"])}

    def begin(self, state, clock):
        return self.visible(state)

    def emit(self, state, clock):
        return nj.Output(spikes=nj.SpikeOutput(state["V"], 1.0))

    def drift(self, t, state, inputs):
        return {"V": jnp.full(1, self.rate) + inputs.get("I", 0.0)}


class Follow(nj.AbstractCoupling):
    source: str = "cell"
    target: str = "meter"
    port: str = "I"

    def current(self, source, target):
        return source["V"]


def test_coupling_and_recorders_see_pending_jumps_applied():
    """The meter sums the voltage that it sees; the cell's stored value is above threshold."""
    meter = models.Relaxation(E=0.0, tau=1e9, n=1)
    block = nj.Block({"cell": Resetting(), "meter": meter}, [Follow()], solver=S.Euler())
    run = nj.simulate(
        block, duration=12.0, dt=1.0,
        record={"V": "cell.V", "s": nj.Spikes("cell"), "sum": "meter.V"},
    )  # fmt: skip
    stored, seen, spikes, total, sums = 0.0, [], [], 1.0, []
    for k in range(1, 13):
        before = 0.0 if stored > 1.0 else stored
        total += before
        stored = before + 0.3
        spikes += [k] * (stored > 1.0)
        seen.append(0.0 if stored > 1.0 else stored)
        sums.append(total)
    np.testing.assert_allclose(run["V"][:, 0], seen, rtol=1e-6)
    np.testing.assert_allclose(run["s"].times, spikes)
    np.testing.assert_allclose(run["sum"][:, 0], sums, rtol=1e-6)
    assert run.stats.spikes == {"cell": len(spikes)}


def test_parts_that_do_not_fit():
    class Discrete(nj.Dynamics):
        def init_state(self, *, key=None):
            return {}

        def step(self, state, inputs, clock):
            return state, nj.Output()

    with pytest.raises(TypeError, match="'b' is a Discrete without a vector field"):
        nj.Block({"a": models.Oscillator(), "b": Discrete()})
    with pytest.raises(ValueError, match=r"source 'lft' .*Did you mean 'left'"):
        nj.Block({"left": models.Oscillator()}, [Tanh("lft", "left", jnp.array(W))])


def test_block_gradient_with_respect_to_a_weight():
    def end(w):
        block = nj.Block(
            {"left": models.Oscillator(), "right": models.Oscillator()},
            [Tanh("left", "right", w)],
        )
        return nj.simulate(block, duration=4.0, dt=0.1).final_state.state["right"]["V"].sum()

    slope = jax.grad(end)(jnp.array(W))
    h = 1e-6
    for i, j in np.ndindex(2, 2):
        e = np.zeros((2, 2))
        e[i, j] = h
        difference = (end(jnp.array(W + e)) - end(jnp.array(W - e))) / (2 * h)
        assert float(slope[i, j]) == pytest.approx(float(difference), rel=1e-6, abs=1e-9)
