"""Parameter recovery: simulate recordings from a known circuit, then find its weights again."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import neurojax as nj

FRAME = 600.0  # ms, about the frame interval of the embedded recordings


def known_circuit(wiring: nj.connectomes.Connectome, key) -> nj.circuits.ConnectomeCircuit:
    """A circuit with log-normal weights, signs as predicted, and time constants of 1.5 to 4 s."""
    keys = jax.random.split(key, 4)
    circuit = nj.circuits.ConnectomeCircuit(wiring, noise=0.02)
    predicted = wiring.signs[np.asarray(circuit.pre), np.asarray(circuit.post)]
    coin = jax.random.rademacher(keys[0], predicted.shape)
    sign = jnp.where(predicted == 0, coin, predicted)
    weight = sign * nj.random.LogNormal(0.25, 0.7).sample(keys[1], predicted.shape)
    gap = nj.random.LogNormal(0.08, 0.7).sample(keys[2], circuit.gap_count.tree.shape)
    tau = nj.random.Uniform(1500.0, 4000.0).sample(keys[3], (len(wiring),))
    values = (weight, jnp.asarray(gap), tau)
    return eqx.tree_at(lambda c: (c.weight, c.gap, c.tau), circuit, values)


def simulated_recording(
    circuit: nj.circuits.ConnectomeCircuit,
    key,
    *,
    frames: int = 800,
    noise: float = 0.1,
    seen: Sequence[int] | None = None,
) -> nj.recordings.Recording:
    """One animal: the circuit driven by noise, `frames` of it seen through measurement noise.

    Arguments:
        circuit: the truth.
        key: for process noise and measurement noise.
        frames: how many to keep, after 50 frames from rest.
        noise: sd of the measurement noise, as a fraction of the sd of each trace.
        seen: numbers of the neurons that are recorded; default all.
    """
    process, instrument = jax.random.split(key)
    sim = nj.simulate(
        circuit, duration=FRAME * (50 + frames), dt=FRAME, record={"V": "V"}, key=process
    )
    V = np.asarray(sim["V"])[50:]
    V = V + noise * V.std(axis=0) * np.asarray(jax.random.normal(instrument, V.shape))
    columns = np.arange(V.shape[1]) if seen is None else np.asarray(seen)
    labels = [circuit.names[c] for c in columns]
    return nj.recordings.Recording(np.arange(frames) * FRAME / 1e3, V[:, columns], labels)


def recover(
    wiring: nj.connectomes.Connectome, recordings, *, penalty: float, steps: int, key
) -> nj.circuits.ConnectomeCircuit:
    """Fit a fresh circuit by predicting every frame from the one before."""
    fit = nj.fit(
        nj.circuits.ConnectomeCircuit(wiring, tau=2500.0, key=key),
        recordings,
        objective=nj.fitting.TeacherForced(horizon=1, warm_up=19, penalty=penalty, squared=True),
        normalisation=None,  # the traces are in the units of the circuit already
        optimizer=optax.adam(optax.cosine_decay_schedule(0.02, steps)),
        steps=steps,
        hold_out=nj.fitting.LaterTime(0.9),
        progress=False,
        key=key,
    )
    return fit.circuit


def agreement(truth, found, edges=None) -> dict[str, float]:
    """How well the weights of chemical edges were found; `edges` are booleans per edge.

    Returns:
        `edges` (how many), `r` (Pearson correlation), `sign` (fraction with the right sign) and
        `error` (root mean square error over the root mean square weight).
    """
    w, v = (np.asarray(nj.unwrap(c).weight) for c in (truth, found))
    if edges is not None:
        w, v = w[edges], v[edges]
    return {
        "edges": len(w),
        "r": float(np.corrcoef(w, v)[0, 1]),
        "sign": float(np.mean(np.sign(w) == np.sign(v))),
        "error": float(np.sqrt(np.mean((w - v) ** 2) / np.mean(w**2))),
    }


def seen_together(circuit, recordings) -> np.ndarray:
    """Booleans per chemical edge: both of its ends were recorded in one animal."""
    present = np.array([[name in r.labels for name in circuit.names] for r in recordings])
    return (present[:, np.asarray(circuit.pre)] & present[:, np.asarray(circuit.post)]).any(axis=0)
