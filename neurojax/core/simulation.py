"""What a run returns."""

from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Int

from .errors import UnknownNameError, suggestion
from .inputs import MS_HZ
from .spikes import SpikeRecord
from .tracing import known

_RUNAWAY = 200.0  # Hz; mean rates of cortical populations are far below


class SimState(eqx.Module):
    """A state together with the time it belongs to, `step * dt`; give it back to go on.

    Arguments:
        state: the state of the dynamics.
        step: number of steps since time zero.
        dt: the step length in ms that `step` counts.
        inputs: values of the stochastic inputs, `None` where there are none.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> half_way = nj.SimState({"V": jnp.zeros(3)}, step=500, dt=0.1)
        >>> half_way.step * half_way.dt
        50.0
    """

    state: Any
    step: Any
    dt: Any = None
    inputs: Any = None


class Stats(eqx.Module):
    """Counters of a run and its troubles.

    Arguments:
        steps: number of steps taken.
        spikes: number of spikes by population (`""` for the model itself).
        nonfinite_step: the first step after which the state was not finite, or -1. The state
            is looked at in blocks of steps and the step is then located exactly; an infinity
            that a reset removed within its block is not seen.
        nonfinite_leaf: index into `leaves` of the first leaf that was not finite, or -1.
        overflow: whether the run passed the last step that is counted, so that times are wrong;
            outside jit such a run is refused.
        leaves: names of the leaves of the state.
        neurons: number of neurons by population that spikes.
        dt: step length in ms, where it is fixed.

    Example:
        >>> import neurojax as nj
        >>> worm = nj.circuits.ConnectomeCircuit(nj.connectomes.varshney2011())
        >>> stats = nj.simulate(worm, duration=50.0, dt=5.0).stats
        >>> int(stats.steps), stats.trouble
        (10, None)
    """

    steps: Int[Any, "*batch"]
    spikes: dict[str, Int[Any, "*batch"]]
    nonfinite_step: Int[Any, "*batch"]
    nonfinite_leaf: Int[Any, "*batch"]
    overflow: Bool[Any, "*batch"]
    leaves: tuple[str, ...] = eqx.field(static=True, default=())
    neurons: dict[str, Int[Any, "*batch"]] = eqx.field(default_factory=dict)
    dt: Any = None

    @property
    def rates(self) -> dict[str, Any]:
        """The mean firing rate of each population over the run, Hz."""
        per_ms = {
            name: count / (self.neurons[name] * self.steps * self.dt)
            for name, count in self.spikes.items()
        }
        return {name: rate / MS_HZ for name, rate in per_ms.items()}

    @property
    def warnings(self) -> list[str]:
        """A state that became NaN or infinite, and populations that were silent or ran away.

        In words; outside jit, also for trials. Of a run that broke nothing else is said.
        """
        _check_known("warnings", self)
        trouble = self.trouble
        found = [] if trouble is None else [f"the state became NaN or infinite: {trouble}"]
        if np.any(self.overflow):
            found.append(
                f"steps are counted beyond the last one{_share(np.asarray(self.overflow))}: times "
                "are wrong; begin earlier, or enable jax_enable_x64"
            )
        whole = np.asarray(self.nonfinite_step) < 0
        for name, rate in self.rates.items():
            label = f"population {name!r}" if name else "the population"
            rate = np.where(whole, rate, 0.0)
            silent = (np.asarray(self.spikes[name]) == 0) & whole
            if np.any(silent):
                found.append(
                    f"{label} is silent{_share(silent)}: look at its inputs, weights and initial "
                    "state"
                )
            if np.any(rate > _RUNAWAY):
                found.append(
                    f"{label} fires at {np.max(rate):.0f} Hz on average{_share(rate > _RUNAWAY)}: "
                    "runaway excitation? look at the balance of weights and at t_ref"
                )
        return found

    @property
    def trouble(self) -> str | None:
        """The non-finite leaf and step in words, or `None`; outside jit, also for trials."""
        _check_known("trouble", (self.nonfinite_step, self.nonfinite_leaf))
        steps, leaves = np.ravel(self.nonfinite_step), np.ravel(self.nonfinite_leaf)
        if np.all(steps < 0):
            return None
        first = np.flatnonzero(steps >= 0)[0]
        leaf = self.leaves[leaves[first]] or "state"
        where = _share(np.asarray(self.nonfinite_step) >= 0)
        return f"{leaf!r} is not finite after step {steps[first]}{where}"


def _check_known(name: str, numbers) -> None:
    if not known(*jax.tree.leaves(numbers)):
        raise ValueError(
            f"stats.{name} is in words, outside jit, vmap and grad only; return sim.stats and read "
            "it there, or inside use the numbers: stats.rates, stats.spikes, stats.nonfinite_step"
        )


def _share(which) -> str:
    """In how many of several trials; nothing where there is one."""
    return f" in {np.sum(which)} of {np.size(which)} trials" if np.ndim(which) else ""


class Simulation(eqx.Module):
    """The result of `simulate`: a pytree.

    Arguments:
        records: what `record=` asked for, by name; arrays have time as first axis.
        final_state: pass it back as `state=` to go on.
        stats: counters and troubles.
        sample_times: times of the samples in ms by name of record.
        indices: by name of record the `index=` of its `Trace`, where it had one.
        asked: by name of record the path of its `Trace`, or the populations of its `Spikes`.

    Example:
        >>> import neurojax as nj
        >>> worm = nj.circuits.ConnectomeCircuit(nj.connectomes.varshney2011())
        >>> sim = nj.simulate(worm, duration=50.0, dt=5.0, record={"V": nj.Trace("V", every=5)})
        >>> sim["V"].shape, sim.times("V").tolist()
        ((2, 279), [25.0, 50.0])
    """

    records: dict[str, Any]
    final_state: SimState
    stats: Stats
    sample_times: dict[str, Array | np.ndarray]
    indices: dict[str, Any] = eqx.field(default_factory=dict)
    asked: tuple[tuple[str, tuple[str, ...]], ...] = eqx.field(static=True, default=())

    def __getitem__(self, name: str):
        """A record by name."""
        return record_of(self.records, name)

    def times(self, name: str) -> Array | np.ndarray:
        """Times in ms of a record: of its samples, or of its spikes."""
        return times_of(self.records, self.sample_times, name)


def record_of(records: dict[str, Any], name: str):
    """A record by name."""
    if name not in records:
        raise UnknownNameError(f"no record {name!r}.{suggestion(name, records)}")
    return records[name]


def times_of(records: dict[str, Any], sample_times: dict[str, Any], name: str):
    """Times in ms of a record: of its samples, or of its spikes."""
    record = record_of(records, name)
    if isinstance(record, SpikeRecord):
        return record.times
    if isinstance(record, dict) and name not in sample_times:
        part = next(iter(record))
        raise ValueError(f"{name!r} holds several populations: use sim[{name!r}][{part!r}].times")
    return sample_times[name]
