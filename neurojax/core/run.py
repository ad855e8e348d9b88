"""A fixed-step run: in one piece inside a transform, in chunks that move to the host outside."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from . import inputs as signals
from .clock import Clock
from .dynamics import Dynamics
from .errors import NonFiniteError
from .fixed_step import Result, Setup, run_steps
from .given_times import GivenTimes
from .levels import levels, seat, taken
from .parameters import unwrap
from .paths import get, leaf_names
from .progress import ProgressBar
from .recorders import Spikes, Trace, asked_of, check_index, indices_of, readout
from .run_checks import largest_step
from .simulation import SimState, Simulation, Stats
from .solvers import ExponentialEuler
from .spikes import SpikeRecord
from .store import Store
from .tracing import joined, split

_CHUNK_BYTES = 1 << 27  # samples that may wait on the device before they move to the host
_MOST_COUNTED = (1 << 31) - 1


class FixedStepRun:
    """A fixed-step run, in one piece inside a transform, in chunks outside of it."""

    def __init__(
        self, dynamics, inputs, recorders, steps, first_step, step0, dt, key, noise, adjoint
    ):
        if isinstance(dynamics, Dynamics):
            dynamics = dynamics.without_host_data()
        self.dynamics, self.inputs, self.recorders = dynamics, inputs, recorders
        self.steps, self.first_step, self.step0, self.dt = steps, first_step, step0, dt
        self.key, self.noise, self.adjoint = key, noise, adjoint
        self.output = None
        self.wanted = {
            name: GivenTimes(name, r, first_step, steps, dt)
            for name, r in recorders.items()
            if isinstance(r, Trace) and r.at is not None
        }
        self.engine_recorders = {
            n: Trace(r.what, _index(r), every=self.wanted[n].stride) if n in self.wanted else r
            for n, r in recorders.items()
        }
        self.strides = [r.every for r in self.engine_recorders.values() if isinstance(r, Trace)]
        self.period = math.lcm(1, *self.strides)

    def _run(self, state, waiting, done: int, steps: int, locate: bool, room=None) -> Result:
        first = 0 if self.first_step is None else self.first_step
        offset = (first + done) % self.period
        if room is None:
            setup = Setup(steps, offset, self.noise, self.adjoint, locate)
        else:
            number = jnp.asarray(steps), jnp.asarray(offset)
            setup = Setup(*number, self.noise, None, locate, room)
        # of one type at the start and where a run goes on, so that one program serves both
        step = jnp.asarray(self.step0, jnp.result_type(self.step0)) + done
        return run_steps(
            self.dynamics, state, waiting, self.inputs, step, jnp.asarray(self.dt), self.key,
            self.engine_recorders, setup,
        )  # fmt: skip

    # -- inside a transform: one piece, everything stays a tracer ---------------------------

    def inside(self, state, waiting) -> Simulation:
        """The run inside jit, vmap or grad."""
        self._bytes_per_step(state)  # refuses an index that is out of range
        result = self._run(state, waiting, 0, self.steps, True)
        step0 = jnp.asarray(self.step0)
        records, times = {}, {}
        for name, recorder in self.recorders.items():
            samples = result.samples[name]
            if isinstance(recorder, Spikes):
                labels = step0 + 1 + jnp.arange(self.steps)
                parts = recorder.parts(self._output(state))
                found = {
                    p: SpikeRecord(
                        labels, samples[p], jnp.asarray(self.dt), part.spikes.value.shape[0]
                    )
                    for p, part in parts.items()
                }
                records[name] = found if len(recorder.names) > 1 else next(iter(found.values()))
                continue
            if name in self.wanted:
                wanted = self.wanted[name]
                start = recorder.read(unwrap(self.dynamics).visible(state))
                samples = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), start, samples)
                records[name] = wanted.interpolate(samples, wanted.all_rows())
                times[name] = jnp.asarray(wanted.times)
                continue
            labels = self._labels(recorder.every, 0, self.steps)
            records[name], times[name] = samples, (step0 + labels) * jnp.asarray(self.dt)
        step, leaf = result.trouble
        final = SimState(result.state, step0 + self.steps, np.asarray(self.dt), result.noise)
        overflow = step0 > largest_step() - self.steps
        stats = Stats(
            jnp.asarray(self.steps), result.spikes, step, leaf, overflow,
            leaf_names(result.state), result.neurons, jnp.asarray(self.dt),
        )  # fmt: skip
        asked = indices_of(self.recorders), asked_of(self.recorders)
        return Simulation(records, final, stats, times, *asked)

    def _labels(self, every: int, done: int, steps: int) -> np.ndarray:
        """End labels, relative to the start of the run, of the samples taken in a stretch."""
        first = 0 if self.first_step is None else self.first_step
        begin = first + done
        return np.arange((begin // every + 1) * every, begin + steps + 1, every) - first

    def _output(self, state):
        """The shapes of what a step puts out."""
        if self.output is None:
            self.output = step_output(
                self.dynamics, state, self.inputs, self.dt, self.key, self.noise
            )
        return self.output

    # -- outside: chunks whose samples move to the host -------------------------------------

    def _bytes_per_step(self, state) -> float:
        """What all recorders keep on the device, on average per step."""
        chain, total = levels(self.strides), 0.0
        for name, recorder in self.engine_recorders.items():
            if isinstance(recorder, Spikes):
                parts = recorder.parts(self._output(state)).values()
                total += sum(4 * -(-part.spikes.value.shape[0] // 32) for part in parts)
                continue
            value = self._recorded(name, recorder, state)
            size = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(value))
            total += size / chain[seat(chain, recorder.every)]
        return total

    def _recorded(self, name: str, recorder, state):
        """The shape of one sample of a trace."""
        visible = jax.eval_shape(unwrap(self.dynamics).visible, state)
        if isinstance(recorder.what, str) and get(visible, recorder.what) is None:
            value = readout(self._output(state), recorder.what)
        else:
            value = jax.eval_shape(Trace(recorder.what).read, visible)
        check_index(name, recorder, value)
        return jax.eval_shape(recorder.pick, value)

    def _chunk_steps(self, state, progress: bool, stream: bool) -> tuple[int, int]:
        """The number of steps of a chunk, and for how many there is room for samples."""
        per_step = self._bytes_per_step(state)
        limit = self.steps if per_step == 0 else max(1, int(_CHUNK_BYTES / per_step))
        chunk = min(self.steps, limit)
        # spikes are counted in 32 bits; a network knows its populations
        sizes = getattr(unwrap(self.dynamics), "sizes", None)
        leaves = [x.size for x in jax.tree.leaves(state)] if sizes is None else sizes.values()
        largest = max(leaves, default=1)
        chunk = min(chunk, _MOST_COUNTED // max(1, largest))
        if progress or stream:  # a fiftieth is the most that a killed run loses
            chunk = min(chunk, max(1, self.steps // 50))
        if chunk < self.steps:
            # one offset for all chunks, so that one program serves them
            chunk = max(1, chunk // self.period) * self.period
        chunk = min(chunk, self.steps)
        if not self.recorders:
            return chunk, 0
        # the program of this room serves shorter chunks too, and other runs
        return chunk, max(chunk, min(1 << (chunk - 1).bit_length(), limit))

    def outside(self, state, waiting, stream_to, progress: bool, throw: bool) -> Simulation:
        """The run outside of transforms."""
        chunk, room = self._chunk_steps(state, progress, stream_to is not None)
        # begun here, so that one program serves the start and what goes on from it
        clock = Clock(self.step0, self.dt, self.key, self.noise)
        waiting = signals.begin_noise(self.inputs, clock, waiting)
        waiting = jax.tree.map(lambda x: jnp.asarray(x, x.dtype), waiting)
        store = Store(stream_to)
        bar = ProgressBar(self.steps, "simulate") if progress else None
        spikes: dict[str, int] = {}
        trouble, done, start_state = (-1, -1), 0, state
        one_piece = chunk >= self.steps
        try:
            while done < self.steps:
                steps = min(chunk, self.steps - done)
                result = self._run(state, waiting, done, steps, False, room)
                if not bool(result.finite):
                    again = self._run(state, waiting, done, steps, True, room)
                    trouble = (int(again.trouble[0]), int(again.trouble[1]))
                self._collect(store, result, start_state, done, steps, one_piece)
                for name, count in result.spikes.items():
                    spikes[name] = spikes.get(name, 0) + int(count)
                state, waiting, done = result.state, result.noise, done + steps
                store.checkpoint(done)
                if bar is not None:
                    bar.advance(steps)
                if trouble[0] >= 0:
                    break
        except BaseException as error:
            store.abandon(error)
            raise
        finally:
            if bar is not None:
                bar.close()
        names = leaf_names(state)
        if trouble[0] >= 0 and throw:
            error = NonFiniteError(self._advice(trouble, names))
            store.abandon(error)
            raise error
        records, times = self._finish(store, start_state)
        step = int(self.step0) + done
        final = SimState(state, np.asarray(step), np.asarray(self.dt), waiting)
        stats = Stats(
            np.asarray(done), {n: np.asarray(c) for n, c in spikes.items()},
            np.asarray(trouble[0]), np.asarray(trouble[1]), np.asarray(False), names,
            {n: np.asarray(size) for n, size in result.neurons.items()}, np.asarray(self.dt),
        )  # fmt: skip
        asked = indices_of(self.recorders), asked_of(self.recorders)
        return Simulation(records, final, stats, times, *asked)

    def _advice(self, trouble, names) -> str:
        step, leaf = trouble
        stable = isinstance(getattr(self.dynamics, "solver", None), ExponentialEuler)
        other = "" if stable else ", or solver=nj.solvers.ExponentialEuler()"
        return (
            f"the state leaf {names[leaf] or 'state'!r} of {type(unwrap(self.dynamics)).__name__} "
            f"became NaN or infinite in step {step} (t = {step * self.dt:g} ms). Is dt={self.dt:g} "
            f"ms too long for this model? Try half of it{other}; look for NaN in parameters and "
            "inputs; throw=False returns what was computed"
        )

    def _collect(self, store, result: Result, start, done: int, steps: int, one_piece: bool):
        begin = (self.first_step or 0) + done
        for name, recorder in self.recorders.items():
            every = getattr(self.engine_recorders[name], "every", 1)
            samples = _front(result.samples[name], taken(begin, steps, every))
            if isinstance(recorder, Spikes):
                for part, words in samples.items():
                    words = np.asarray(words)
                    rows = np.flatnonzero(words.any(axis=1))
                    labels = int(self.step0) + done + 1 + rows
                    store.append(f"{name}/{part}/steps", labels)
                    store.append(f"{name}/{part}/words", words[rows])
            elif name in self.wanted:
                wanted = self.wanted[name]
                if done == 0:
                    first = recorder.read(unwrap(self.dynamics).visible(start))
                    store.append_tree(name, jax.tree.map(lambda x: np.asarray(x)[None], first))
                pick = partial(np.take, indices=wanted.rows(done, steps), axis=0)
                store.append_tree(name, jax.tree.map(pick, jax.tree.map(np.asarray, samples)))
            elif one_piece and store.folder is None:
                store.keep(name, samples)
            else:
                store.append_tree(name, jax.tree.map(np.asarray, samples))

    def _finish(self, store, start):
        records, times = {}, {}
        store.close()
        for name, recorder in self.recorders.items():
            if isinstance(recorder, Spikes):
                parts = recorder.parts(self._output(start))
                found = {
                    p: SpikeRecord(
                        store.get(f"{name}/{p}/steps"),
                        store.get(f"{name}/{p}/words"),
                        np.asarray(self.dt),
                        part.spikes.value.shape[0],
                    )
                    for p, part in parts.items()
                }
                records[name] = found if len(recorder.names) > 1 else next(iter(found.values()))
            elif name in self.wanted:
                wanted = self.wanted[name]
                records[name] = wanted.interpolate(store.get_tree(name), wanted.kept_rows())
                times[name] = np.asarray(wanted.times)
            else:
                records[name] = store.get_tree(name)
                labels = int(self.step0) + self._labels(recorder.every, 0, self.steps)
                length = len(jax.tree.leaves(records[name])[0])
                times[name] = labels[:length] * self.dt
        return records, times


def step_output(dynamics, state, inputs, dt, key, noise: str):
    """The shapes of what a step puts out; traced once for all runs of the same shapes."""
    static, arrays = split((dynamics, state, inputs, key))
    return _step_output.eval_shape((static, noise), arrays, dt)


@partial(jax.jit, static_argnums=0)
def _step_output(static, arrays, dt):
    static, noise = static
    dynamics, state, inputs, key = joined(static, arrays)
    clock = Clock(0, dt, key, noise)
    inputs = signals.prepare_inputs(inputs, dt)
    now = signals.with_noise(inputs, signals.begin_noise(inputs, clock))
    dynamics = unwrap(dynamics).prepare()
    return dynamics.step(state, dynamics.read_inputs(now, clock), clock)[1]


def _front(samples, number: int):
    """The first samples, where there are more."""
    return jax.tree.map(lambda x: x if len(x) == number else x[:number], samples)


def _index(recorder: Trace):
    index = recorder.index
    return index.as_slice() if hasattr(index, "as_slice") else index
