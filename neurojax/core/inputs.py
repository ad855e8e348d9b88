"""Inputs: what drives a simulation from outside, as functions of time.

A leaf of `inputs` is an array (constant in time) or one of these objects. They are pytrees, so
amplitudes and frequencies can be trained or vmapped.
"""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from . import grid_times
from .clock import Clock
from .counts import poisson_counts
from .multiples import multiple, two_whole_numbers
from .tracing import known
from .units import refuse_units

__all__ = [
    "AbstractInput",
    "AbstractStochasticInput",
    "OrnsteinUhlenbeck",
    "Poisson",
    "Ramp",
    "Sampled",
    "Sine",
    "Step",
    "Sum",
]


MS_HZ = 1e-3  # a frequency in Hz times a time in ms
_BLOCK = 64  # samples that are summed up in single precision


class AbstractInput(eqx.Module):
    """An external signal: `at(clock)` is its mean over a step, calling it gives its value at t."""

    @property
    def smooth(self) -> bool:
        """Whether a solver may read the signal at its stages; jumps and kinks are averaged."""
        return False

    def prepare(self, dt) -> "AbstractInput":
        """What can be computed once per run of steps of `dt` ms; by default nothing."""
        return self

    def on_grid(self, dt: float) -> "AbstractInput":
        """The signal with the times it was given counted in steps of `dt` ms; by default itself."""
        return self

    @abstractmethod
    def at(self, clock: Clock) -> Array:
        """The mean over the step that begins at `clock.t`."""

    @abstractmethod
    def __call__(self, t) -> Array:
        """The value at time t (ms)."""

    def within(self, clock: Clock) -> "AbstractInput":
        """The signal as a function of the time since the beginning of the step, ms."""
        return Within(self, self, clock.t)

    def edges(self) -> Array | np.ndarray:
        """Times (ms) at which the signal jumps or bends, for adaptive solvers; any order."""
        return np.zeros(0)

    def __add__(self, other) -> "Sum":
        """The sum of two inputs, or of an input and a constant."""
        return Sum(self, other)

    def __radd__(self, other) -> "Sum":
        """See `__add__`."""
        return Sum(self, other)

    def __sub__(self, other) -> "Sum":
        """The input less a constant."""
        return self + (-other)

    def __neg__(self):
        """Refused, as all products are: amplitudes have a sign and a size."""
        raise TypeError(
            f"{type(self).__name__} cannot be multiplied or subtracted: scale what it is made of, "
            "as in nj.inputs.Step(2 * amplitude), and add inputs of opposite sign"
        )

    def __mul__(self, other):
        """See `__neg__`."""
        return -self

    __rmul__ = __truediv__ = __rsub__ = __mul__
    __array_ufunc__ = None  # NumPy leaves sums with its arrays to the methods above


class AbstractStochasticInput(eqx.Module):
    """A signal with a state of its own, advanced once per step by the fixed-step engine."""

    shape: eqx.AbstractVar[tuple[int, ...]]

    @abstractmethod
    def init_state(self, clock: Clock, name: str) -> Array:
        """The value at the first step."""

    @abstractmethod
    def advance(self, state: Array, clock: Clock, name: str) -> Array:
        """The value one step later."""

    def __add__(self, other):
        """Refused, unless a kind of noise knows better."""
        _refuse_noise()

    def __radd__(self, other):
        """See `__add__`."""
        return self + other

    def __neg__(self):
        """Refused, as all products and differences are."""
        _refuse_noise()

    def __mul__(self, other):
        """See `__neg__`."""
        _refuse_noise()

    __rmul__ = __truediv__ = __sub__ = __rsub__ = __mul__
    __array_ufunc__ = None  # see `AbstractInput`


def _refuse_noise():
    raise TypeError(
        "noise cannot be added to another input, subtracted or multiplied; give it a port of its "
        "own, with receptors={'noise': nj.synapses.InjectedCurrent()} of the population"
    )


def _since(edge, clock: Clock, place=None) -> Array:
    """The time from an edge to the beginning of the step, ms.

    Whole steps are subtracted as integers: in 32 bits a difference of two late times would lose
    what lies within a step. An edge that lies on the grid but for its rounding counts as on it.
    """
    if place is not None:  # the edge is a known number, by which nothing is differentiated
        whole, rest = place
        return _passed(clock, whole, rest.dtype) * clock.dt - rest
    fixed, dt = jax.lax.stop_gradient(edge), jax.lax.stop_gradient(clock.dt)
    finite = jnp.isfinite(fixed)
    steps = jnp.clip(jnp.rint(jnp.where(finite, fixed, 0.0) / dt), -(2.0**30), 2.0**30)
    whole = steps.astype(jnp.int32)
    rest = edge - steps * clock.dt
    rounding = 2.0 * jnp.finfo(rest.dtype).eps * jnp.abs(fixed)
    rest = rest - jnp.where(jnp.abs(rest) <= rounding, jax.lax.stop_gradient(rest), 0.0)
    since = _passed(clock, whole, rest.dtype) * clock.dt - rest
    return jnp.where(finite, since, -edge)


def _passed(clock: Clock, whole, dtype):
    """Steps since the one numbered `whole`: exact if near, and without overflow if far."""
    far = clock.step.astype(dtype) - whole.astype(dtype)
    return jnp.where(jnp.abs(far) < 2.0**30, (clock.step - whole).astype(dtype), far)


def _mean_indicator(clock: Clock, start, stop, places=None):
    """The fraction of the step that lies in [start, stop].

    At an edge on the grid the step inside the pulse has its whole derivative, the one outside none.
    """
    first, last = (None, None) if places is None else places
    begin, end = -_since(start, clock, first), -_since(stop, clock, last)
    inside = jnp.where(end <= clock.dt, end, clock.dt) - jnp.where(begin >= 0, begin, 0.0)
    part = inside / clock.dt
    return jnp.where(part <= 0, 0.0, jnp.where(part <= 1, part, 1.0))


def _array(what: str, value) -> Array:
    """A floating-point array."""
    refuse_units(what, value)
    try:
        x = jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what} must be a number or an array, got {value!r}") from error
    return x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(float)


def _number(what: str, value, *, finite: bool = True) -> Array:
    """A floating-point array of finite numbers, or at least without NaN, where it is known."""
    x = _array(what, value)
    if known(x):
        wrong = ~np.isfinite(np.asarray(x)) if finite else np.isnan(np.asarray(x))
        if np.any(wrong):
            raise ValueError(f"{what} must be a {'finite ' if finite else ''}number, got {value}")
    return x


def _time(what: str, value, *, finite: bool = True) -> Array:
    """A time at which an input changes is one number."""
    if known(value):
        with jax.ensure_compile_time_eval():  # numbers are known inside jit too
            time = _number(what, value, finite=finite)
    else:
        time = _number(what, value, finite=finite)
    if time.ndim != 0:
        raise ValueError(
            f"{what} must be one number (ms), got shape {time.shape}: where neurons have times of "
            "their own, add several inputs that are 0 for the others"
        )
    return time


def _noise_shape(what: str, shape, **parameters) -> tuple[int, ...]:
    """The shape of a stochastic input: that of all its parameters and the given one together."""
    own = [x.shape for x in parameters.values()]
    try:
        return np.broadcast_shapes(*own, () if shape is None else tuple(shape))
    except (TypeError, ValueError) as error:
        listed = ", ".join(f"{name} {x.shape}" for name, x in parameters.items())
        raise ValueError(
            f"{what} has parameters and a shape= that do not fit together: {listed}, "
            f"shape={shape}; give the shape of the signal, as in shape=(100,)"
        ) from error


def _placed(signal, dt: float):
    """The signal with its ends counted in steps, where they are known with all their digits."""
    times = grid_times.still(signal.given, (signal.start, signal.stop))
    places = None if times is None else tuple(grid_times.place(time, dt) for time in times)
    return _with(signal, given=None, places=places)


class Step(AbstractInput):
    """`amplitude` between `start` and `stop` (ms), zero elsewhere.

    In single precision a time that is a plain number keeps its place within a step however late;
    one that is an array or traced has the digits of its type.

    Arguments:
        amplitude: scalar or shaped like the target, in the target's unit (pA for `I_e`).
        start: ms, or minus infinity; default 0.
        stop: ms, or infinity; default never.

    Raises:
        TypeError: for what is no number or array.
        ValueError: if it stops before it starts, a time is NaN, or the amplitude is not finite.

    Example:
        >>> import neurojax as nj
        >>> pulse = nj.inputs.Step(200.0, start=10.0, stop=20.0)
        >>> float(pulse(15.0)), float(pulse(25.0))
        (200.0, 0.0)
    """

    amplitude: Float[Array, "..."]
    start: Float[Array, ""]
    stop: Float[Array, ""]
    given: Any = None
    places: Any = None

    def __init__(self, amplitude, start=0.0, stop=np.inf):
        self.amplitude = _number("Step amplitude", amplitude)
        self.start = _time("Step start", start, finite=False)
        self.stop = _time("Step stop", stop, finite=False)
        self.given, self.places = grid_times.digits(start, stop), None
        if known(start, stop) and float(start) > float(stop):
            raise ValueError(f"Step needs start <= stop, got start={start} and stop={stop}")

    def on_grid(self, dt: float) -> "Step":
        """Both ends counted in steps, as far as they are known."""
        return _placed(self, dt)

    def at(self, clock: Clock) -> Array:
        """The mean over the step: the charge of a pulse is exact on any grid."""
        return self.amplitude * _mean_indicator(clock, self.start, self.stop, self.places)

    def __call__(self, t) -> Array:
        """The value at time t (ms)."""
        return jnp.where((t >= self.start) & (t < self.stop), self.amplitude, 0.0)

    def edges(self) -> Array | np.ndarray:
        """The two ends of the pulse."""
        return jnp.stack([self.start, self.stop])


class Ramp(AbstractInput):
    """From `first` to `last` between `start` and `stop` (ms), constant before and after.

    Arguments:
        first: value until `start`.
        last: value from `stop` on.
        start: ms.
        stop: ms, after `start`.

    Raises:
        TypeError: for what is no number or array.
        ValueError: if it does not stop after it starts, or a number is not finite.

    Example:
        >>> import neurojax as nj
        >>> float(nj.inputs.Ramp(0.0, 100.0, start=0.0, stop=10.0)(2.5))
        25.0
    """

    first: Float[Array, "..."]
    last: Float[Array, "..."]
    start: Float[Array, ""]
    stop: Float[Array, ""]
    given: Any = None
    places: Any = None

    def __init__(self, first, last, start, stop):
        self.first, self.last = _number("Ramp first", first), _number("Ramp last", last)
        self.start, self.stop = _time("Ramp start", start), _time("Ramp stop", stop)
        self.given, self.places = grid_times.digits(start, stop), None
        if known(start, stop) and not float(start) < float(stop):
            raise ValueError(f"Ramp needs start < stop, got start={start} and stop={stop}")

    def on_grid(self, dt: float) -> "Ramp":
        """Both ends counted in steps, as far as they are known."""
        return _placed(self, dt)

    def at(self, clock: Clock) -> Array:
        """The exact mean over the step."""
        length, dt = self.stop - self.start, clock.dt
        first, last = (None, None) if self.places is None else self.places
        since, after = _since(self.start, clock, first), _since(self.stop, clock, last)
        if self.places is not None:
            length = since - after
        near, far = (jnp.clip(x, 0.0, length) for x in (since, since + dt))
        rise = 0.5 * (far - near) * (far + near) / length + jnp.clip(after + dt, 0.0, dt)
        mean = rise / dt
        return self.first + (self.last - self.first) * mean

    def __call__(self, t) -> Array:
        """The value at time t (ms)."""
        return self._after(0.0, t)

    def within(self, clock: Clock) -> "Within":
        """Read by the time since it started, so that it stays straight late in a run."""
        return Within(self, jax.tree_util.Partial(Ramp._after, self, clock.t), jnp.zeros(()))

    def _after(self, begin, t):
        fraction = jnp.clip((t - (self.start - begin)) / (self.stop - self.start), 0.0, 1.0)
        return self.first + (self.last - self.first) * fraction

    def edges(self) -> Array | np.ndarray:
        """The two kinks."""
        return jnp.stack([self.start, self.stop])


class Sine(AbstractInput):
    r"""$\mathrm{offset} + \mathrm{amplitude}\,\sin(2\pi f t + \phi)$.

    A frequency that makes a simple ratio with the step (50 Hz and 0.1 ms) keeps its phase however
    late; that of others is off in single precision by about 1e-7 of the periods that have gone by.

    Arguments:
        amplitude: scalar or shaped like the target.
        frequency: Hz.
        phase: radians.
        offset: added to the sine.

    Raises:
        TypeError: for what is no number or array.
        ValueError: if a number is not finite.

    Example:
        >>> import neurojax as nj
        >>> round(float(nj.inputs.Sine(2.0, frequency=10.0)(25.0)), 5)
        2.0
    """

    amplitude: Float[Array, "..."]
    frequency: Float[Array, "..."]
    phase: Float[Array, "..."]
    offset: Float[Array, "..."]
    numbers: tuple[Array, Array] | None = None

    def __init__(self, amplitude, frequency, phase: Any = 0.0, offset: Any = 0.0):
        self.amplitude = _number("Sine amplitude", amplitude)
        self.frequency = _number("Sine frequency", frequency)
        self.phase, self.offset = _number("Sine phase", phase), _number("Sine offset", offset)
        self.numbers = None

    def prepare(self, dt) -> "Sine":
        """The periods in a step as a ratio."""
        return _with(self, numbers=two_whole_numbers(self._periods(dt)))

    def _periods(self, dt):
        return MS_HZ * self.frequency * dt

    @property
    def smooth(self) -> bool:
        """True."""
        return True

    def _angle(self, t):
        return 2 * jnp.pi * MS_HZ * self.frequency * t + self.phase

    def within(self, clock: Clock) -> "Within":
        """Counted in whole periods, so that it stays a sine late in a run."""
        _, turns = multiple(clock.step, self._periods(clock.dt), self.numbers)
        phase = self.phase + 2 * jnp.pi * turns
        here = Sine(self.amplitude, self.frequency, phase, self.offset)
        return Within(self, here, jnp.zeros(()))

    def at(self, clock: Clock) -> Array:
        """The exact mean over the step."""
        half = jnp.pi * MS_HZ * self.frequency * clock.dt
        middle = self.within(clock).here._angle(0.5 * clock.dt)
        return self.offset + self.amplitude * jnp.sin(middle) * jnp.sinc(half / jnp.pi)

    def __call__(self, t) -> Array:
        """The value at time t (ms)."""
        return self.offset + self.amplitude * jnp.sin(self._angle(t))


class Within(AbstractInput):
    """A signal in one step: called with the time since the step began.

    Arguments:
        whole: the signal.
        here: a signal that is the same from the beginning of the step on.
        begin: its time there, ms.
    """

    whole: AbstractInput
    here: Any
    begin: Float[Array, ""]

    @property
    def smooth(self) -> bool:
        """True."""
        return True

    def within(self, clock: Clock) -> "Within":
        """Itself."""
        return self

    def at(self, clock: Clock) -> Array:
        """The mean of the signal over the step."""
        return self.whole.at(clock)

    def __call__(self, t) -> Array:
        """The value t ms after the beginning of the step."""
        time = self.begin + t
        if not self.whole.smooth:
            # rounded down, so that a jump comes after all times before it
            part = time - self.begin
            lost = (self.begin - (time - part)) + (t - part)
            below = jnp.nextafter(time, jnp.full_like(time, -jnp.inf)) - time
            time = time + jax.lax.stop_gradient(jnp.where(lost < 0, below, 0.0))
        return self.here(time)


class Sampled(AbstractInput):
    """An array over time: `values[k]` holds from `t0 + k dt` to `t0 + (k+1) dt`.

    Arguments:
        values: shape (time, ...), the first axis is time.
        dt: ms per sample; independent of the simulation's step.
        t0: time of the first sample in ms.

    Raises:
        TypeError: for what is no number or array.
        ValueError: if dt is not positive, a number is not finite or `values` has no time axis. A
            run that reaches beyond the array is refused by `simulate`; where its times are traced
            the last sample holds.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> stimulus = nj.inputs.Sampled(jnp.array([0.0, 1.0, 4.0]), dt=10.0)
        >>> float(stimulus(15.0))
        1.0
    """

    values: Float[Array, "time ..."]
    dt: Float[Array, ""]
    t0: Float[Array, ""]
    totals: tuple[Array, Array, Array] | None = None
    numbers: Any = None
    given: Any = None
    place: Any = None

    def __init__(self, values, dt, t0=0.0):
        values = _array("Sampled values", values)
        if values.ndim == 0 or values.shape[0] == 0:
            raise ValueError(
                f"Sampled values need a first axis over time, got shape {values.shape}"
            )
        if known(values) and not np.all(np.isfinite(np.asarray(values))):
            at = np.argwhere(~np.isfinite(np.asarray(values)))[0].tolist()
            raise ValueError(
                f"Sampled values must be finite numbers, got {np.asarray(values)[tuple(at)]} at "
                f"{at}; fill the gaps of a recording first, for example by numpy.interp"
            )
        if known(dt) and not float(dt) > 0:
            raise ValueError(f"Sampled dt must be positive (ms per sample), got {dt}")
        self.values = values
        self.dt, self.t0 = _time("Sampled dt", dt), _time("Sampled t0", t0)
        self.totals, self.numbers = None, None
        self.given, self.place = grid_times.digits(t0, dt), None

    def on_grid(self, dt: float) -> "Sampled":
        """The first sample counted in samples, and those in a step, as far as they are known."""
        times = grid_times.still(self.given, (self.t0, self.dt))
        if times is None:
            return _with(self, given=None, place=None, numbers=None)
        place, numbers = grid_times.sample(*times), grid_times.ratio(dt, times[1])
        return _with(self, given=None, place=place, numbers=numbers)

    def prepare(self, dt) -> "Sampled":
        """The samples summed up, for steps longer than one, and those in a step as a ratio."""
        numbers = two_whole_numbers(dt / self.dt) if self.place is None else self.numbers
        return _with(self, totals=_totals(self.values), numbers=numbers)

    def _take(self, i):
        return self.values[jnp.clip(i, 0, self.values.shape[0] - 1)]

    def at(self, clock: Clock) -> Array:
        """The mean over the step, also where it straddles samples."""
        length = clock.dt / self.dt  # of the step, in samples
        first, rest = multiple(clock.step, length, self.numbers)
        whole, apart = self._shift() if self.place is None else self.place
        begin = rest - apart
        # half a thousandth of a sample absorbs rounding
        i = jnp.floor(begin + 5e-4).astype(jnp.int32)
        j = jnp.floor(begin + 0.999 * length + 5e-4).astype(jnp.int32)
        first = first - whole.astype(first.dtype)
        # two samples meet in a step no longer than one; at the end of a step an edge has its
        # whole derivative, so that it has it once
        after = begin + length - (i + 1).astype(begin.dtype)
        after = jnp.where(
            after > -5e-4, after - jax.lax.stop_gradient(jnp.minimum(after, 0.0)), 0.0
        )
        late = after / length
        near = self._take(first + i) * (1.0 - late) + self._take(first + i + 1) * late
        totals = _totals(self.values) if self.totals is None else self.totals
        far = lambda: self._between(totals, first, begin, begin + length) / length
        return jax.lax.cond(j - i <= 1, lambda: near, far)

    def _shift(self):
        """The time of the first sample, in whole samples and a rest that is more than rounding."""
        shift = self.t0 / self.dt
        whole = jnp.rint(shift)
        apart = shift - whole
        rounding = 2.0 * jnp.finfo(shift.dtype).eps * jnp.abs(shift)
        small = jnp.where(jnp.abs(apart) <= rounding, jax.lax.stop_gradient(apart), 0.0)
        return whole, apart - small

    def _between(self, totals, first, begin, end):
        """The integral from `begin` to `end` samples after the sample `first`, held outside."""
        inside, blocks, rests = totals

        def before(x):
            k = jnp.clip(first + jnp.floor(x).astype(jnp.int32), 0, self.values.shape[0] - 1)
            part = inside[k] + (x - (k - first).astype(x.dtype)) * self.values[k]
            return part, blocks[k // _BLOCK], rests[k // _BLOCK]

        return sum(b - a for a, b in zip(before(begin), before(end), strict=True))

    def __call__(self, t) -> Array:
        """The value at time t (ms)."""
        i = jnp.floor((t - self.t0) / self.dt).astype(jnp.int32)
        # agree with `edges` about the side on which t lies, in spite of rounding
        i = jnp.where(t >= self._begin(i + 1), i + 1, jnp.where(t < self._begin(i), i - 1, i))
        return self._take(i)

    def _begin(self, i):
        return self.t0 + self.dt * i.astype(self.dt.dtype)

    def edges(self) -> Array | np.ndarray:
        """Every change of sample."""
        return self._begin(jnp.arange(self.values.shape[0] + 1))


def _with(signal, **fields):
    """The signal with what was not there before."""
    where = lambda s: [getattr(s, name) for name in fields]
    return eqx.tree_at(where, signal, list(fields.values()), is_leaf=lambda x: x is None)


def _totals(values):
    """Sums of samples before each in its block, and of all blocks before, in two numbers.

    A sum over a long recording has no digits left for one sample.
    """
    count, rest = values.shape[0], values.shape[1:]
    blocks = -(-count // _BLOCK)
    filled = jnp.concatenate([values, jnp.zeros((blocks * _BLOCK - count, *rest), values.dtype)])
    filled = filled.reshape(blocks, _BLOCK, *rest)
    inside = jnp.cumsum(filled, axis=1)

    def add(total, block):
        high, low = total
        new = high + block
        part = new - high
        return (new, low + ((high - (new - part)) + (block - part))), total

    none = jnp.zeros(rest, values.dtype)
    _, (high, low) = jax.lax.scan(add, (none, none), inside[:, -1])
    return (inside - filled).reshape(-1, *rest)[:count], high, low


class OrnsteinUhlenbeck(AbstractStochasticInput):
    r"""Coloured noise, $dx = (\mu - x)\,dt/\tau + \sigma\sqrt{2/\tau}\,dW$, exact at any step.

    Mean, standard deviation and correlation time are those of the continuous process for every
    `dt`; within a step the value is held. It starts from its stationary law. Fixed-step engine
    only.

    Arguments:
        mean: stationary mean, in the target's unit.
        sd: stationary standard deviation.
        tau: correlation time in ms.
        shape: shape of the signal, `(n,)` for independent noise per neuron; default one signal
            for all.

    Raises:
        TypeError: for what is no number or array.
        ValueError: if tau is not positive, sd is negative, a number is NaN, or shapes do not fit
            together.

    Example:
        >>> import jax, neurojax as nj
        >>> noise = nj.inputs.OrnsteinUhlenbeck(mean=0.0, sd=50.0, tau=5.0, shape=(100,))
        >>> noise.init_state(nj.Clock(0, 0.1, jax.random.key(0)), "I_e").shape
        (100,)
    """

    mean: Float[Array, "..."]
    sd: Float[Array, "..."]
    tau: Float[Array, "..."]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, mean, sd, tau, shape: tuple[int, ...] | None = None):
        self.mean = _number("OrnsteinUhlenbeck mean", mean)
        self.sd = _number("OrnsteinUhlenbeck sd", sd)
        self.tau = _number("OrnsteinUhlenbeck tau", tau, finite=False)
        if known(tau) and not np.all(np.asarray(tau) > 0):
            raise ValueError(f"OrnsteinUhlenbeck tau must be positive (ms), got {tau}")
        if known(sd) and not np.all(np.asarray(sd) >= 0):
            raise ValueError(f"OrnsteinUhlenbeck sd must not be negative, got {sd}")
        self.shape = _noise_shape(
            "OrnsteinUhlenbeck", shape, mean=self.mean, sd=self.sd, tau=self.tau
        )

    def __add__(self, other):
        """With a constant: the same noise about another mean."""
        if is_input(other):
            return super().__add__(other)
        constant = _array("what is added to noise", other)
        return OrnsteinUhlenbeck(self.mean + constant, self.sd, self.tau, self.shape)

    def __sub__(self, other):
        """See `__add__`."""
        if is_input(other):
            return super().__sub__(other)
        return self + -_array("what is subtracted from noise", other)

    def _draw(self, clock: Clock, name: str) -> Array:
        return clock.normal(f"ornstein-uhlenbeck {name}", self.shape, self.mean.dtype)

    def init_state(self, clock: Clock, name: str) -> Array:
        """A draw from the stationary law."""
        start = clock.child("start")
        return self.mean + self.sd * self._draw(start, name)

    def advance(self, state: Array, clock: Clock, name: str) -> Array:
        """The exact transition over one step."""
        keep = jnp.exp(-clock.dt / self.tau)
        spread = self.sd * jnp.sqrt(-jnp.expm1(-2.0 * clock.dt / self.tau))
        return self.mean + (state - self.mean) * keep + spread * self._draw(clock, name)


class Poisson(AbstractStochasticInput):
    r"""The summed impulses of Poisson arrivals at a port.

    In each step weight times K, where K has the Poisson law of mean $\mathrm{rate}\,dt$. Many
    independent trains onto one neuron are one train with the sum of their rates, so the background
    of a network needs no population of sources. The counts are independent between steps and
    neurons; they have no derivative with respect to the rate. Needs a key; fixed-step
    engine only.

    Arguments:
        rate: Hz, scalar or shaped like the target.
        weight: of one arrival, in the unit of the port (nS for a conductance, pA for a current, mV
            for a delta receptor).
        shape: `(n,)` for an independent train per neuron; default that of rate and weight, and one
            train for all where both are scalars.

    Raises:
        TypeError: for what is no number or array.
        ValueError: for a negative rate, numbers that are not finite, or shapes that do not fit
            together.

    Example:
        >>> import jax, neurojax as nj
        >>> background = nj.inputs.Poisson(rate=1000.0, weight=2.0, shape=(100,))
        >>> drawn = background.init_state(nj.Clock(0, 1.0, jax.random.key(0)), "ampa")
        >>> drawn.shape, 1.5 < float(drawn.mean()) < 2.5
        ((100,), True)
    """

    rate: Float[Array, "..."]
    weight: Float[Array, "..."]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, rate, weight=1.0, shape: tuple[int, ...] | None = None):
        self.rate = _number("Poisson rate", rate)
        self.weight = _number("Poisson weight", weight)
        if known(rate) and not np.all(np.asarray(rate) >= 0):
            raise ValueError(f"Poisson rate must not be negative (Hz), got {rate}")
        self.shape = _noise_shape("Poisson", shape, rate=self.rate, weight=self.weight)

    def _draw(self, clock: Clock, name: str) -> Array:
        mean = jax.lax.stop_gradient(self.rate) * (MS_HZ * clock.dt)
        counts = poisson_counts(mean, self.shape, clock, f"poisson {name}")
        return self.weight * counts.astype(self.weight.dtype)

    def init_state(self, clock: Clock, name: str) -> Array:
        """The impulses of the first step."""
        return self._draw(clock.child("start"), name)

    def advance(self, state: Array, clock: Clock, name: str) -> Array:
        """The impulses of the next step."""
        return self._draw(clock, name)


class Sum(AbstractInput):
    """The sum of two inputs; made by `a + b`.

    Arguments:
        first: an input that is not noise, or a constant (scalar or shaped like the target).
        second: the same.

    Raises:
        TypeError: for noise, or what is no number or array.

    Example:
        >>> import neurojax as nj
        >>> both = nj.inputs.Step(100.0, stop=20.0) + nj.inputs.Sine(10.0, frequency=25.0)
        >>> round(float(both(10.0)), 3)
        110.0
    """

    first: Any
    second: Any

    def __init__(self, first, second):
        for part in (first, second):
            if isinstance(part, AbstractStochasticInput):
                _refuse_noise()
        as_input = lambda x: (
            x if isinstance(x, AbstractInput) else _array("what is added to an input", x)
        )
        self.first, self.second = as_input(first), as_input(second)

    @property
    def smooth(self) -> bool:
        """True where both parts are."""
        return all(x.smooth for x in self._parts() if isinstance(x, AbstractInput))

    def within(self, clock: Clock) -> "Sum":
        """Of both parts."""
        return Sum(*(x.within(clock) if is_input(x) else x for x in self._parts()))

    def on_grid(self, dt: float) -> "Sum":
        """Of both parts."""
        return Sum(*(x.on_grid(dt) if isinstance(x, AbstractInput) else x for x in self._parts()))

    def prepare(self, dt) -> "Sum":
        """Prepare both parts."""
        return Sum(*(x.prepare(dt) if isinstance(x, AbstractInput) else x for x in self._parts()))

    def at(self, clock: Clock) -> Array:
        """The sum of the means."""
        first, second = (x.at(clock) if isinstance(x, AbstractInput) else x for x in self._parts())
        return first + second

    def __call__(self, t) -> Array:
        """The sum at time t (ms)."""
        first, second = (x(t) if isinstance(x, AbstractInput) else x for x in self._parts())
        return first + second

    def edges(self) -> Array | np.ndarray:
        """The jumps of both."""
        found = [x.edges() for x in self._parts() if isinstance(x, AbstractInput)]
        if known(*found):
            return np.concatenate([np.asarray(e) for e in found])
        return jnp.concatenate([jnp.ravel(e) for e in found])

    def _parts(self):
        return (self.first, self.second)


def is_input(x) -> bool:
    """Whether a leaf of `inputs` is a signal rather than an array."""
    return isinstance(x, AbstractInput | AbstractStochasticInput)


def resolve(inputs, clock: Clock):
    """Every signal as its mean over the step."""
    read = lambda x: x.at(clock) if isinstance(x, AbstractInput) else x
    return jax.tree.map(read, inputs, is_leaf=is_input)


def held(inputs, clock: Clock):
    """Signals that jump as their mean over the step; smooth ones as functions of time in it."""

    def read(x):
        if not isinstance(x, AbstractInput):
            return x
        return x.within(clock) if x.smooth else x.at(clock)

    return jax.tree.map(read, inputs, is_leaf=is_input)


def since(inputs, clock: Clock):
    """Every signal as a function of the time since that of the clock."""
    read = lambda x: x.within(clock) if isinstance(x, AbstractInput) else x
    return jax.tree.map(read, inputs, is_leaf=is_input)


def at_time(inputs, t):
    """Every signal at time t."""
    read = lambda x: x(t) if isinstance(x, AbstractInput) else x
    return jax.tree.map(read, inputs, is_leaf=is_input)


def on_grid(inputs, dt: float):
    """Every signal with the times that it was given counted in steps of `dt` ms."""
    counted = lambda x: x.on_grid(dt) if isinstance(x, AbstractInput) else x
    return jax.tree.map(counted, inputs, is_leaf=is_input)


def prepare_inputs(inputs, dt):
    """Every signal prepared for a run of steps of `dt` ms."""

    def ready(path, x):
        if isinstance(x, AbstractInput):
            return x.prepare(dt)
        if callable(x) and not is_input(x):
            raise TypeError(
                f"the input {jax.tree_util.keystr(path)} is a function: give its values over time "
                "as nj.inputs.Sampled(values, dt), or one of nj.inputs"
            )
        return x

    return jax.tree_util.tree_map_with_path(ready, inputs, is_leaf=is_input)


def _stochastic(x) -> bool:
    return isinstance(x, AbstractStochasticInput)


def begin_noise(inputs, clock: Clock, earlier=None):
    """The states of the stochastic inputs at the first step; `None` for all others.

    Where an earlier run had the same input (by path and shape), it goes on from there.
    """
    named = jax.tree_util.tree_flatten_with_path(earlier)[0]
    last = {jax.tree_util.keystr(path): value for path, value in named}

    def start(path, x):
        if not _stochastic(x):
            return None
        name = jax.tree_util.keystr(path)
        if name in last and jnp.shape(last[name]) == x.shape:
            return last[name]
        return x.init_state(clock, name)

    return jax.tree_util.tree_map_with_path(start, inputs, is_leaf=is_input)


def advance_noise(inputs, states, clock: Clock):
    """The states of the stochastic inputs one step later."""
    move = lambda path, x, s: (
        x.advance(s, clock, jax.tree_util.keystr(path)) if _stochastic(x) else None
    )
    return jax.tree_util.tree_map_with_path(move, inputs, states, is_leaf=is_input)


def with_noise(inputs, states):
    """The inputs with each stochastic one replaced by its present value."""
    pick = lambda x, s: s if _stochastic(x) else x
    return jax.tree.map(pick, inputs, states, is_leaf=is_input)
