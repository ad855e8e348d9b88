"""Training of recurrent circuits by gradient."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import neurojax as nj
from neurojax.fitting.parameters import split
from neurojax.fitting.rules import BPTT
from neurojax.fitting.rules.rule import cross_entropy, squared_error
from neurojax.tasks import Trials

KEY = jax.random.key(0)


def _trials(inputs=1, recorded=0, steps=12, count=5, seed=0):
    rng = np.random.default_rng(seed)
    u = rng.normal(size=(count, steps, inputs))
    activity = rng.uniform(-0.5, 0.5, (count, steps, recorded)) if recorded else None
    return Trials(
        u, np.cumsum(u[..., :1], axis=1) / 4, (rng.random((count, steps)) < 0.8) * 1.0,
        dt=1.0, activity=activity, recorded=np.arange(recorded) + 1 if recorded else None,
    )  # fmt: skip


def _circuit(**options):
    return nj.circuits.RateRNN(4, inputs=1, outputs=1, tau=4.0, key=KEY, **options)


def test_gradient_is_that_of_finite_differences():
    trials, rule = _trials(recorded=2), BPTT(optax.sgd(1.0), activity=0.7, rate_penalty=0.1)
    circuit = _circuit(recurrent=nj.circuits.DaleBalanced(), feedback=True)
    parameters, rest = split(circuit, ())
    loss = jax.jit(lambda p: rule.value(eqx.combine(p, rest), trials))
    slope = jax.grad(loss)(parameters)
    rng = np.random.default_rng(1)
    way = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape)), parameters)
    frozen = jax.tree.map(lambda g: g * 0, slope)
    for name in ("recurrent", "input", "output", "feedback", "bias", "output_bias"):
        where = lambda t, name=name: getattr(t, name)
        move = eqx.tree_at(where, frozen, where(way))
        step = lambda h, move=move: loss(optax.apply_updates(parameters, optax.tree.scale(h, move)))
        numeric = (step(1e-5) - step(-1e-5)) / 2e-5
        exact = sum(jnp.vdot(g, d) for g, d in zip(
            jax.tree.leaves(slope), jax.tree.leaves(move), strict=True))  # fmt: skip
        assert abs(numeric - exact) < 1e-7 * max(1.0, abs(exact)), name


def test_single_precision_gradient_is_close_to_double():
    # within 1e-4 of the norm
    trials, rule = _trials(), BPTT(optax.sgd(1.0))
    single = lambda tree: jax.tree.map(
        lambda x: x.astype(jnp.float32) if eqx.is_inexact_array(x) else x, tree
    )
    slope = lambda c, t: eqx.filter_grad(lambda c: rule.value(c, t))(c).recurrent
    circuit = _circuit()
    fine, coarse = slope(circuit, trials), slope(single(circuit), single(trials))
    assert coarse.dtype == jnp.float32
    assert jnp.linalg.norm(coarse - fine) < 1e-4 * jnp.linalg.norm(fine)


def test_sgd_step_is_minus_the_gradient():
    trials, rule = _trials(), BPTT(optax.sgd(0.1), freeze=["input"])
    circuit = _circuit()
    trained = nj.train(circuit, trials, rule=rule, steps=1, progress=False)
    slope = eqx.filter_grad(lambda c: rule.value(c, trials))(circuit)
    assert np.allclose(trained.circuit.recurrent, circuit.recurrent - 0.1 * slope.recurrent)
    assert (trained.circuit.input == circuit.input).all()
    assert float(nj.unwrap(trained.circuit.tau)) == 4.0
    assert np.isclose(trained.losses[0], rule.value(circuit, trials))


def test_losses_ignore_what_does_not_count():
    outputs, targets = jnp.ones((2, 3, 2)), jnp.zeros((2, 3, 2)).at[0, 0].set(jnp.nan)
    mask = jnp.ones((2, 3)).at[0, 0].set(0.0)
    assert float(squared_error(outputs, targets, mask)) == 1.0
    assert np.isfinite(jax.grad(lambda z: squared_error(z, targets, mask))(outputs)).all()
    logits = jnp.log(jnp.array([[[0.25, 0.75]]]))
    found = cross_entropy(logits, jnp.array([[[0.0, 1.0]]]), jnp.ones((1, 1)))
    assert np.isclose(found, -np.log(0.75))


def test_signs_and_zeros_are_kept():
    start = nj.circuits.DaleBalanced(density=0.5)
    circuit = nj.circuits.RateRNN(20, inputs=1, outputs=1, recurrent=start, key=KEY)
    before = np.asarray(nj.unwrap(circuit).recurrent)
    rule = BPTT(optax.adam(0.05))
    trained = nj.train(circuit, _trials(), rule=rule, steps=30, progress=False)
    after = np.asarray(nj.unwrap(trained.circuit).recurrent)
    assert np.abs(after - before).max() > 0.05
    assert (np.sign(after) == np.sign(before)).all()


def test_training_learns_the_task():
    task = nj.tasks.FlipFlop(bits=1)
    circuit = nj.circuits.RateRNN(30, inputs=1, outputs=1, tau=50.0, key=KEY)
    trained = nj.train(
        circuit, task, rule=BPTT(optax.adam(1e-2)), steps=100, batch=32, progress=False
    )
    fresh = task.trials(jax.random.key(7), 64)
    outputs = nj.fitting.unroll(trained.circuit, fresh).outputs
    assert float(task.score(fresh, outputs).mean()) > 0.9


def test_recorded_units_are_followed():
    trials = _trials(recorded=2)
    free = BPTT(optax.adam(1e-2), activity=0.0)
    bound = BPTT(optax.adam(1e-2), activity=1.0)
    error = lambda circuit: float(
        nj.fitting.rules.rule.activity_error(nj.fitting.unroll(circuit, trials).rates, trials)
    )
    run = lambda rule: nj.train(_circuit(), trials, rule=rule, steps=100, progress=False).circuit
    assert error(run(bound)) < 0.8 * error(run(free))


def test_resumed_training_is_that_in_one_piece(tmp_path):
    task, rule = nj.tasks.FlipFlop(bits=1), BPTT(optax.adam(1e-2))
    options = {"rule": rule, "steps": 6, "batch": 4, "progress": False}
    whole = nj.train(_circuit(), task, **options)

    folder = tmp_path / "run"
    first = nj.train(_circuit(), task, checkpoint=folder, checkpoint_every=2, **options)
    assert (first.losses == whole.losses).all()
    # take the newest checkpoint away: as if the process had died after step 4
    newest = max((folder / "steps").iterdir(), key=lambda p: int(p.name))
    assert newest.name == "6"
    for path in sorted(newest.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    newest.rmdir()
    again = nj.train(
        _circuit(), task, checkpoint=folder, checkpoint_every=2, resume=True, **options
    )
    assert (again.losses == whole.losses).all()
    assert (again.circuit.recurrent == whole.circuit.recurrent).all()
    with pytest.raises(FileExistsError):
        nj.train(_circuit(), task, checkpoint=folder, **options)

    # a finished training goes on to more updates, and not back to fewer
    longer = options | {"steps": 8, "checkpoint_every": 2}
    whole = nj.train(_circuit(), task, **longer)
    again = nj.train(_circuit(), task, checkpoint=folder, resume=True, **longer)
    assert (again.losses == whole.losses).all()
    assert (again.circuit.recurrent == whole.circuit.recurrent).all()
    with pytest.raises(ValueError, match="steps=3 is less than the 8 updates"):
        nj.train(_circuit(), task, checkpoint=folder, resume=True, **options | {"steps": 3})
    with pytest.raises(ValueError, match=r"another fit: key was \[0, 0\], now it is \[0, 1\]"):
        other = jax.random.key(1)
        nj.train(_circuit(), task, checkpoint=folder, resume=True, key=other, **longer)
    with pytest.raises(ValueError, match="needs checkpoint="):
        nj.train(_circuit(), task, resume=True, **options)


@pytest.mark.parametrize(
    "rule", [nj.fitting.rules.FORCE(), nj.fitting.rules.Sinkhorn(optax.sgd(0.1), symbols=False)]
)
def test_recorded_activity_that_a_rule_does_not_use_is_said(rule):
    with pytest.warns(UserWarning, match=f"{type(rule).__name__} learns from the targets alone"):
        nj.train(_circuit(), _trials(recorded=2), rule=rule, steps=1, progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nj.train(_circuit(), _trials(), rule=rule, steps=1, progress=False)


def test_later_chunks_and_other_numbers_compile_nothing():
    traced = []
    counting = lambda *given: traced.append(1) or squared_error(*given)
    rule = BPTT(optax.adam(1e-2), loss=counting)
    chunks = {"steps": 6, "checkpoint_every": 2, "progress": False}
    nj.train(_circuit(), _trials(), rule=rule, **chunks)
    once = len(traced)
    nj.train(_circuit(bias=0.3), _trials(seed=1), rule=rule, **chunks)
    assert once == len(traced) == 1


def test_an_update_that_is_not_finite_is_left_out():
    trials = _trials()
    broken = eqx.tree_at(lambda t: t.targets, trials, trials.targets.at[0, 0].set(1e200))
    broken = eqx.tree_at(lambda t: t.mask, broken, jnp.ones_like(trials.mask))
    circuit = _circuit()
    trained = nj.train(circuit, broken, rule=BPTT(optax.adam(1.0)), steps=2, progress=False)
    assert (trained.circuit.recurrent == circuit.recurrent).all()
    assert not np.isfinite(trained.losses).any()


@pytest.mark.parametrize("kind", ["cross_entropy", "FORCE", "activity"])
def test_gaps_change_nothing(kind):
    # NaN where the weight is 0 trains as any other number there does
    whole = _trials(recorded=2)
    gap = whole.mask[..., None] == 0
    missing = jnp.zeros_like(whole.activity, bool).at[0, 3].set(True)
    put = lambda value: eqx.tree_at(
        lambda t: (t.targets, t.activity, t.activity_mask),
        whole,
        (
            jnp.where(gap, value, whole.targets),
            jnp.where(missing, value, whole.activity),
            jnp.where(missing, 0.0, 1.0),
        ),
    )
    rules = {
        "cross_entropy": BPTT(optax.sgd(0.1), loss="cross_entropy"),
        "FORCE": nj.fitting.rules.FORCE(),
        "activity": BPTT(optax.sgd(0.1)),
    }
    trained = [
        nj.train(_circuit(), put(value), rule=rules[kind], steps=2, progress=False)
        for value in (0.5, jnp.nan)
    ]
    assert (trained[0].losses == trained[1].losses).all()
    assert jnp.isfinite(trained[1].circuit.output).all()
    assert (trained[0].circuit.output == trained[1].circuit.output).all()


@pytest.mark.parametrize("name", ["inputs", "targets", "activity"])
def test_what_counts_is_finite(name):
    trials = _trials(recorded=2)
    where = lambda t: getattr(t, name)
    broken = eqx.tree_at(where, trials, where(trials).at[...].set(jnp.nan))
    with pytest.raises(ValueError, match=f"{name} must be finite"):
        nj.train(_circuit(), broken, rule=BPTT(optax.sgd(0.1)), steps=1, progress=False)


@pytest.mark.parametrize(
    ("error", "match", "change"),
    [
        (ValueError, "outputs=1", {"circuit": nj.circuits.RateRNN(3, inputs=1, outputs=2)}),
        (ValueError, "inputs=1", {"circuit": nj.circuits.RateRNN(3, outputs=1)}),
        (TypeError, "recurrent circuit", {"circuit": nj.neurons.LIF()}),
        (TypeError, "task must be", {"task": 3}),
        (TypeError, "rule must be", {"rule": optax.adam(1e-3)}),
        (ValueError, "steps", {"steps": 0}),
        (ValueError, "batch=9", {"batch": 9}),
        (
            ValueError,
            "names unit 4, but the units of the circuit are 0 to 3",
            {"task": eqx.tree_at(lambda t: t.recorded, _trials(recorded=2), jnp.array([4, 1]))},
        ),
    ],
)
def test_what_does_not_fit_is_refused(error, match, change):
    given = {"circuit": _circuit(), "task": _trials(), "rule": BPTT(optax.adam(1e-2)), "steps": 1}
    given |= change
    with pytest.raises(error, match=match):
        nj.train(given.pop("circuit"), given.pop("task"), progress=False, **given)


def test_unroll_compiles_once():
    traced = []
    circuit = lambda **change: nj.circuits.RateRNN(
        3, inputs=1, outputs=1, nonlinearity=counted, **change
    )
    counted = lambda x: traced.append(1) or jnp.tanh(x)
    runs = [nj.fitting.unroll(circuit(tau=tau), _trials(seed=2)).rates for tau in (4.0, 5.0)]
    once = len(traced)
    nj.fitting.unroll(circuit(bias=0.5), _trials(seed=3))
    assert once == len(traced)
    assert jnp.abs(runs[0] - runs[1]).max() > 1e-3  # and the numbers count


def test_unroll_says_what_it_wants():
    with pytest.raises(TypeError, match=r"nj.tasks.Trials, got ndarray"):
        nj.fitting.unroll(_circuit(), np.zeros((5, 12, 1)))
    with pytest.raises(ValueError, match="1 input channels, the inputs have 3"):
        nj.fitting.unroll(_circuit(), _trials(inputs=3))


def test_recorded_activity_alone_is_learnt():
    """Without outputs the recorded units are all there is to follow."""
    circuit = nj.circuits.LeakyRNN(4, inputs=1)
    trials = Trials(
        np.ones((4, 12, 1)), np.zeros((4, 12, 0)), dt=1.0, activity=np.full((4, 12, 1), 0.3),
        recorded=np.array([2]),
    )  # fmt: skip
    trained = nj.train(circuit, trials, rule=BPTT(optax.adam(0.1)), steps=40, progress=False)
    assert trained.losses[-1] < 0.05 * trained.losses[0]
    empty = Trials(np.ones((4, 12, 1)), np.zeros((4, 12, 0)), dt=1.0)
    with pytest.raises(ValueError, match="there is nothing to learn"):
        nj.train(circuit, empty, rule=BPTT(optax.adam(0.1)), steps=1, progress=False)
    with pytest.raises(ValueError, match="FORCE trains the outputs"):
        nj.train(circuit, trials, rule=nj.fitting.rules.FORCE(), steps=1, progress=False)


@pytest.mark.parametrize("rule", [nj.fitting.rules.FORCE(), nj.fitting.rules.FullFORCE()])
def test_read_outs_that_are_not_plain_are_refused(rule):
    output = nj.circuits.masked(jnp.ones((1, 4)), np.array([[1, 1, 0, 0]]) > 0)
    with pytest.raises(ValueError, match="all output weights: they must be a plain array"):
        nj.train(_circuit(output=output), _trials(), rule=rule, steps=1, progress=False)


def test_full_force_refuses_what_it_cannot_follow():
    rule = nj.fitting.rules.FullFORCE()
    circuit = _circuit(solver=nj.solvers.RungeKutta4())
    with pytest.raises(ValueError, match="Euler or EulerMaruyama, got solver=RungeKutta4"):
        nj.train(circuit, _trials(), rule=rule, steps=1, progress=False)
    with pytest.raises(ValueError, match="beyond what the"):
        nj.train(
            _circuit(nonlinearity="relu"), _trials(recorded=2), rule=rule, steps=1, progress=False
        )


def test_another_training_is_not_resumed(tmp_path):
    def go(circuit=None, trials=None, rule=None, steps=4, **options):
        return nj.train(
            circuit or _circuit(), trials or _trials(), rule=rule or BPTT(optax.adam(1e-2)),
            steps=steps, progress=False, checkpoint=tmp_path / "run", **options,
        )  # fmt: skip

    go()
    for changed, words in (
        ({"circuit": _circuit(nonlinearity="relu")}, "what the circuit is was .*tanh"),
        ({"trials": _trials(steps=20)}, "what is learnt was"),
        ({"rule": BPTT(optax.adam(1e-2), rate_penalty=0.1)}, "how the rule learns was"),
    ):
        with pytest.raises(ValueError, match=words):
            go(**changed, steps=6, resume=True)
    with pytest.raises(ValueError, match=r"another (fit|state)"):
        go(rule=BPTT(optax.sgd(1e-2, momentum=0.9)), steps=6, resume=True)
    assert len(go(steps=6, resume=True).losses) == 6


def test_an_initial_state_of_another_size():
    trials = Trials(np.ones((2, 5, 1)), np.ones((2, 5, 1)), dt=1.0, initial=np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"trials.initial must have shape \(2, 4\)"):
        nj.train(_circuit(), trials, rule=BPTT(optax.sgd(0.1)), steps=1, progress=False)


@pytest.mark.parametrize(
    "make",
    [lambda x: nj.fitting.rules.FORCE(alpha=x), lambda x: nj.fitting.rules.FullFORCE(penalty=x)],
    ids=["FORCE", "FullFORCE"],
)
def test_another_penalty_compiles_nothing(make):
    traced = []

    def tanh(x):
        traced.append(1)
        return jnp.tanh(x)

    circuit = _circuit(nonlinearity=tanh)
    go = lambda x: nj.train(circuit, _trials(), rule=make(x), steps=2, progress=False).losses
    first = go(1.0)
    counts = [len(traced)]
    for x in (1.0, 0.01):
        second = go(x)
        counts.append(len(traced))
    assert np.ptp(np.diff(counts)) == 0
    assert not np.allclose(first, second)
