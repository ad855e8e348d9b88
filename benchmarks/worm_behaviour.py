"""Does a circuit foretell behaviour better if it must follow the worm's neurons as well?

Five worms on food (`dag2023`: whole-brain calcium, velocity and head angle). A circuit of 128 rate
units is given the identified sensory neurons of a worm and shall put out velocity and head angle.
It learns by gradient: behaviour alone, or behaviour and the identified inter- and motor neurons,
each of which one of its units stands for; as a control these neurons come from other times. Claim
(of Salatiello and Giese 2020, arXiv:2005.02211, for a simulated arm): with the neurons the R2 of
the outputs is higher where they were not trained.

Held out is one block in five, another for each of five seeds (`blocks`), or the last 30 % (`later`,
harder: both neurons and behaviour drift). Of its 200 updates a circuit keeps the state with the
least error of behaviour in a further block, where it is not trained either. Neurons are normalised
as for `nj.fit`. For scale: ridge regression from the sensory neurons, now and in the last 6 s, and
from the sensory, inter- and motor neurons of the same frame; its penalty is chosen in the further
block. R2 is about the mean of the held-out block. Medians over worms of the medians over seeds.
`python benchmarks/worm_behaviour.py --json`, under three minutes for each kind of hold-out.
"""

import argparse
import json
import os
import time

os.environ.setdefault("PJRT_NPROC", "1")  # one thread is best for circuits of this size

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import neurojax as nj
from neurojax.fitting.rules import BPTT
from neurojax.fitting.rules.rule import squared_error

OUTPUTS = ("velocity", "head_angle")
UNITS, TAU, UPDATES, EVERY, SEEDS = 128, 1500.0, 200, 20, 5
LEARN, INNER = 0.7, 0.8  # for `later`: share not held out, share of that which is trained on
WINDOW, STRIDE = 60_000.0, 30_000.0  # ms
KINDS = {  # weight of the neurons beside behaviour, both in standard deviations; whether shifted
    "behaviour alone": (0.0, False),
    "neurons, weight 1": (1.0, False),
    "shifted neurons, weight 1": (1.0, True),
}
RANGE = 3.0  # standard deviations of a neuron that a unit of tanh spans
LAGS, PENALTIES = 10, (1.0, 10.0, 100.0, 1e3, 1e4, 1e5)


def neurons(worm, cook):
    """Labels of the identified sensory neurons, and of the identified inter- and motor neurons."""
    kind = dict(zip(cook.names, cook.types, strict=True))
    labels = [worm.labels[i] for i in worm.exact]
    sensory = [name for name in labels if kind.get(name) == "sensory"]
    return sensory, [name for name in labels if kind.get(name) in ("inter", "motor")]


def prepared(worm, sensory, others):
    """Windows of the recording, and all of it as one trial."""
    cut = lambda window, stride=None: nj.tasks.from_recording(
        worm, OUTPUTS, sensory, others, window=window, stride=stride
    )
    whole = cut(worm.dt * 1e3 * (len(worm.times) - 1))

    def scaled(trials):
        trials = nj.tasks.standardise(trials, whole)
        return eqx.tree_at(lambda t: t.activity, trials, trials.activity / RANGE)

    windows = cut(WINDOW, STRIDE)
    ends = np.asarray(windows.condition("start")) + windows.duration
    return scaled(windows[np.flatnonzero(ends <= whole.duration)]), scaled(whole)


def parts(hold_out: str, steps: int):
    """Which steps are held out, and which say when to stop: booleans (seed, time)."""
    step, seed = np.arange(steps), np.arange(SEEDS)[:, None]
    if hold_out == "blocks":
        block = step * SEEDS // steps
        return block == seed, block == (seed + 1) % SEEDS
    split = int(LEARN * steps)
    test, stop = step >= split, (step >= int(INNER * split)) & (step < split)
    return np.tile(test, (SEEDS, 1)), np.tile(stop, (SEEDS, 1))


def padded(trials, inputs: int, units: int):
    """The same number of inputs and recorded units for all worms, so that one program serves."""
    fill = lambda x, to: jnp.pad(x, ((0, 0), (0, 0), (0, to - x.shape[-1])))
    return nj.tasks.Trials(
        fill(trials.inputs, inputs),
        trials.targets,
        trials.mask,
        dt=trials.dt,
        activity=fill(trials.activity, units),
        activity_mask=fill(trials.activity_mask, units),
    )


@eqx.filter_jit
def trained(circuits, rules, activities, windows, whole, learn, stop):
    """Circuits (kind, seed), each as it was when its error in the steps `stop` was least."""

    def one(rule, activity, circuit, learn, stop):
        judge = eqx.tree_at(lambda t: t.mask, whole, stop)
        given = eqx.tree_at(
            lambda t: (t.activity, t.mask, t.activity_mask),
            windows,
            (activity, windows.mask * learn, windows.activity_mask * learn[..., None]),
        )
        moving, static = eqx.partition((circuit, rule.init(circuit, given, None)), eqx.is_array)

        def update(moving, _):
            circuit, state, _ = rule.update(*eqx.combine(moving, static), given, None)
            return eqx.filter((circuit, state), eqx.is_array), None

        def updates(carry, _):
            moving, best, least = carry
            moving, _ = jax.lax.scan(update, moving, None, length=EVERY)
            outputs = nj.fitting.unroll(eqx.combine(moving, static)[0], judge).outputs
            error = squared_error(outputs, judge.targets, judge.mask)
            better = error < least
            best = jax.tree.map(lambda new, old: jnp.where(better, new, old), moving[0], best)
            return (moving, best, jnp.minimum(error, least)), None

        begin = (moving, moving[0], jnp.asarray(jnp.inf))
        (_, best, _), _ = jax.lax.scan(updates, begin, None, length=UPDATES // EVERY)
        return eqx.combine(best, static[0])

    each_seed = lambda rule, activity: eqx.filter_vmap(one, in_axes=(None, None, 0, 0, 0))(
        rule, activity, circuits, learn, stop
    )
    return eqx.filter_vmap(each_seed)(rules, activities)


@eqx.filter_jit
def run(circuits, trials):
    """Outputs and rates of all circuits (kind, seed, time, channel) over a recording."""
    one = lambda circuit: nj.fitting.unroll(circuit, trials[0])
    found = eqx.filter_vmap(eqx.filter_vmap(one))(circuits)
    return found.outputs, found.rates


def beginnings(inputs: int):
    """Untrained circuits, one per seed."""
    make = lambda key: nj.circuits.RateRNN(
        UNITS, inputs=inputs, outputs=len(OUTPUTS), tau=TAU, key=key,
        recurrent=nj.circuits.Gaussian(1.0),
    )  # fmt: skip
    return eqx.filter_vmap(make)(jax.random.split(jax.random.key(0), SEEDS))


def rules():
    """A rule for each kind, stacked."""
    adam = optax.adam(optax.cosine_decay_schedule(3e-3, UPDATES))
    rule = BPTT(optax.chain(optax.clip_by_global_norm(1.0), adam))
    weights = jnp.asarray([weight for weight, _ in KINDS.values()]) * RANGE**2
    return eqx.tree_at(lambda r: r.activity, rule, weights)


def explained(wanted, found) -> np.ndarray:
    """R2 about the held-out mean, for each channel (last axis)."""
    error = np.sum((found - wanted) ** 2, axis=-2)
    return 1 - error / np.sum((wanted - wanted.mean(axis=-2, keepdims=True)) ** 2, axis=-2)


def ridge(x, y, test, stop) -> np.ndarray:
    """R2 in the steps `test` of a ridge regression whose penalty is chosen in the steps `stop`."""
    x = np.c_[x, np.ones(len(x))]
    penal = np.diag(np.r_[np.ones(x.shape[1] - 1), 0.0])  # not for the intercept

    def fit(where, penalty):
        a = x[where]
        return np.linalg.solve(a.T @ a + penalty * penal, a.T @ y[where])

    learn = ~(test | stop)
    errors = [np.sum((x[stop] @ fit(learn, p) - y[stop]) ** 2, axis=0) for p in PENALTIES]
    chosen = np.argmin(errors, axis=0)
    best = np.stack([fit(~test, PENALTIES[p])[:, k] for k, p in enumerate(chosen)], axis=1)
    return explained(y[test], x[test] @ best)


def lagged(x) -> np.ndarray:
    """Channels now, and their means over bins of the last `LAGS` frames."""
    past = np.concatenate([np.repeat(x[:1], LAGS, axis=0), x])
    bins = ((1, 1), (2, 3), (4, 6), (7, 10))
    steps = lambda k: past[LAGS - k : len(past) - k]
    means = [np.mean([steps(k) for k in range(a, b + 1)], axis=0) for a, b in bins]
    return np.concatenate([x, *means], axis=1)


def experiment(worm, sensory, others, sizes, hold_out: str) -> dict:
    """One worm: held-out R2 (seed, output) of ridge and of each kind of circuit."""
    windows, whole = prepared(worm, sensory, others)
    tests, stops = parts(hold_out, whole.steps)
    y, seen, neural = (
        np.asarray(x[0], float) for x in (whole.targets, whole.inputs, whole.activity)
    )
    features = {
        "ridge, sensory neurons": lagged(seen),
        "ridge, all neurons": np.c_[seen, RANGE * neural],
    }
    behaviour = {
        name: np.stack([ridge(x, y, *p) for p in zip(tests, stops, strict=True)])
        for name, x in features.items()
    }
    windows, whole = padded(windows, *sizes), padded(whole, *sizes)
    other_times = jnp.roll(windows.activity, len(windows) // 2, axis=0)
    activities = jnp.stack(
        [other_times if moved else windows.activity for _, moved in KINDS.values()]
    )
    # the steps of each window that are learnt from; windows with none in any seed are left out
    first = np.arange(len(windows)) * round(STRIDE / whole.dt)
    learn = (~(tests | stops))[:, first[:, None] + np.arange(windows.steps)]
    some = np.flatnonzero(learn.any(axis=(0, 2)))
    as_mask = lambda x: jnp.asarray(x, whole.mask.dtype)
    circuits = trained(
        beginnings(sizes[0]), rules(), activities[:, some], windows[some], whole,
        as_mask(learn[:, some]), as_mask(stops)[:, None],
    )  # fmt: skip
    outputs, rates = (np.asarray(x, float) for x in run(circuits, whole))
    followed = {}
    for kind, z, r in zip(KINDS, outputs, rates, strict=True):
        behaviour[kind] = np.stack([explained(y[t], z[k, t]) for k, t in enumerate(tests)])
        own = r[..., : len(others)]
        followed[kind] = np.median([explained(neural[t], own[k, t]) for k, t in enumerate(tests)])
    return {
        "worm": worm.name,
        "sensory neurons": len(sensory),
        "inter- and motor neurons": len(others),
        "behaviour": {name: np.round(x, 3).tolist() for name, x in behaviour.items()},
        "median R2 of the neurons": {name: round(float(x), 3) for name, x in followed.items()},
    }


def judged(rows: list[dict]) -> dict:
    """The gain by neurons, over worms; and how it compares with neurons from other times."""
    middle = lambda row, kind: np.median(np.atleast_2d(row["behaviour"][kind]), axis=0)
    table = {kind: np.stack([middle(row, kind) for row in rows]) for kind in rows[0]["behaviour"]}
    found = {}
    for k, name in enumerate(OUTPUTS):
        medians = {kind: round(float(np.median(x[:, k])), 3) for kind, x in table.items()}
        compared = {}
        for kind, base in (
            ("neurons, weight 1", "behaviour alone"),
            ("neurons, weight 1", "shifted neurons, weight 1"),
        ):
            gain = table[kind][:, k] - table[base][:, k]
            compared[f"{kind}, less {base}"] = {
                "median over worms": round(float(np.median(gain)), 3),
                "worms with a gain": int(np.sum(gain > 0)),
                "met": bool(np.median(gain) > 0 and 2 * np.sum(gain > 0) > len(gain)),
            }
        # a gain from one value below zero to another foretells nothing
        found[name] = {
            "median R2": medians,
            "gains": compared,
            "the circuit with neurons is above 0": medians["neurons, weight 1"] > 0,
        }
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    parser.add_argument("--hold-out", choices=("blocks", "later"), default="blocks")
    arguments = parser.parse_args()
    start = time.perf_counter()
    cook = nj.connectomes.cook2019()
    worms = nj.fitting.Normalisation().apply(nj.recordings.load("dag2023"), train=LEARN)
    groups = [neurons(worm, cook) for worm in worms]
    sizes = tuple(max(len(group[k]) for group in groups) for k in (0, 1))
    rows = [
        experiment(worm, *group, sizes, arguments.hold_out)
        for worm, group in zip(worms, groups, strict=True)
    ]
    report = {
        "hold-out": arguments.hold_out,
        "worms": rows,
        "over worms": judged(rows),
        "seeds": SEEDS,
    }
    report["seconds"] = round(time.perf_counter() - start, 1)
    if arguments.json:
        print(json.dumps(report, indent=1))
        return
    for row in rows:
        print(row["worm"], f"({row['sensory neurons']} sensory neurons in)")
        for kind, values in row["behaviour"].items():
            middle = np.median(np.atleast_2d(values), axis=0)
            neural = row["median R2 of the neurons"].get(kind)
            shown = "  ".join(f"{n} {v:6.3f}" for n, v in zip(OUTPUTS, middle, strict=True))
            print(f"  {kind:26} {shown}" + ("" if neural is None else f"  neurons {neural:6.3f}"))
    print(json.dumps(report["over worms"], indent=1))
    print(report["seconds"], "seconds")


if __name__ == "__main__":
    main()
