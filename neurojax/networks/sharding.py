"""One network on many devices: neurons and their incoming synapses divided, spikes gathered."""

from typing import Any

from jax.sharding import Mesh

from neurojax.core import Clock, Simulation
from neurojax.core.checks import admitted
from neurojax.core.errors import ShapeError
from neurojax.core.inputs import begin_noise, on_grid, prepare_inputs, with_noise
from neurojax.core.parameters import arrays_only, unwrap
from neurojax.core.run_checks import (
    as_given,
    check_run,
    check_times,
    name_misfits,
    whole_steps,
)
from neurojax.core.simulate import Number, check_start, first_noise, start_of, tracing
from neurojax.neurons import AbstractNeuron, AbstractSource
from neurojax.plasticity import HomeostaticThreshold

from ._independence import check_independent
from ._sharded_run import ShardedRun
from .network import Network


def simulate_sharded(
    network: Network,
    mesh: Mesh,
    *,
    duration: Number,
    dt: Number,
    t0: Number = 0.0,
    inputs: Any = None,
    record: dict[str, Any] | None = None,
    key: Any = None,
    state: Any = None,
    throw: bool = True,
) -> Simulation:
    """`simulate` for a network that is divided over the devices of a mesh.

    Every device holds a part of each population and the synapses that end there. In a step, or once
    per shortest delay where that is longer, the devices exchange one bit per neuron and step, and
    nothing else. Delivery keeps the order of one device, so the run is the one that
    `nj.simulate(network, ...)` makes, up to the last bit of the arithmetic of other shapes. Final
    states are those of the whole network: a run may go on with another mesh, or with none.

    Populations of `nj.neurons` with any receptors, also with a `HomeostaticThreshold`, projections
    with any weights, delays, release and learning rules, constant, step, ramp, sine, sampled and
    random inputs, noise and random sources are divided: a neuron draws the numbers that it would
    draw on one device. Not yet: graded couplings, other populations, derivatives.

    Neurons, sources and receptors of your own are divided where the step of a neuron reads that
    neuron alone: its state, its inputs, its parameters. Some steps on trial find out, and where it
    is not so the run is refused.

    With several processes (`jax.distributed`) every one of them builds the network, calls this
    function with the same arguments, and gets the whole result.

    Arguments:
        network: the network.
        mesh: a mesh with one axis, such as `jax.make_mesh((jax.device_count(),), ("neurons",))`.
        duration: ms, a whole number of steps.
        dt: step length in ms.
        t0: time of the first step in ms.
        inputs: see `simulate`.
        record: `nj.Spikes` and `nj.Trace` by path, with `index=` and `every=`.
        key: for initial states that are drawn and for noise; the draws are those of `simulate`.
        state: a `SimState` to go on from, or a bare state to begin with.
        throw: raise if the state becomes NaN or infinite; else `stats.nonfinite_step` is the last
            step of the chunk in which that was found.

    Raises:
        ValueError: for what cannot be divided; the message names it.
        TypeError: if `network` is no `Network`, `mesh` no mesh, `record` holds no recorders, or
            `state` is a `Simulation`.
        NonFiniteError: if the state became NaN or infinite and `throw` is true.

    Example:
        >>> import jax, neurojax as nj
        >>> cell = nj.neurons.LIF(receptors={"exc": nj.synapses.ExpCurrent(tau=2.0)})
        >>> all_to_all = nj.connectivity.all_to_all()
        >>> net = nj.Network(
        ...     {"E": cell.population(100)},
        ...     [nj.Projection("E", "E", "exc", all_to_all, weight=5.0, delay=1.5)],
        ... )
        >>> mesh = jax.make_mesh((jax.device_count(),), ("neurons",))
        >>> sim = nj.networks.simulate_sharded(
        ...     net, mesh, duration=50.0, dt=0.1, inputs={"E": {"I_e": 500.0}}
        ... )
        >>> int(sim.stats.spikes["E"])
        300
    """
    if not isinstance(network, Network):
        raise TypeError(f"network must be an nj.Network, got {type(network).__name__}")
    use = 'use jax.make_mesh((jax.device_count(),), ("neurons",))'
    if not isinstance(mesh, Mesh):
        raise TypeError(f"mesh must be a jax.sharding.Mesh, got {mesh!r}: {use}")
    if len(mesh.axis_names) != 1:
        raise ValueError(f"mesh must have one axis, got {mesh.axis_names}: {use}")
    if tracing(network, inputs, state, key):
        raise ValueError(
            "simulate_sharded works outside of jit, grad and vmap; derivatives through a divided "
            "network are not there yet"
        )
    inputs, recorders = as_given(inputs, record)
    check_times(duration, dt, t0)
    check_start(state)
    dt = float(dt)
    steps = whole_steps("duration", duration, dt)
    inputs = on_grid(inputs, dt)
    network = arrays_only(unwrap(network.on_grid(dt)))
    _check_divisible(network)
    start, waiting = start_of(network, state, key, t0, dt)
    first = int(start.step)
    check_run(network, inputs, recorders, first, steps, dt)
    clock = Clock(first, dt, key)
    waiting = first_noise(inputs, clock) if waiting is None else waiting
    values = begin_noise(inputs, clock, waiting)
    prepared, now = network.prepare(), with_noise(prepare_inputs(inputs, dt), values)
    try:
        whole, output = admitted("Network", prepared, start.state, now, clock)
    except ShapeError as error:
        name_misfits(network, inputs, error)
        raise
    check_independent(prepared, whole, now, clock, mesh.devices.size)
    run = ShardedRun(prepared, whole, output, inputs, recorders, mesh, dt, key, values)
    return run.simulation(first, steps, throw)


# -- the door ------------------------------------------------------------------------------------


def _check_divisible(network: Network) -> None:
    if network.couplings:
        c = network.couplings[0]
        raise ValueError(
            f"the coupling {type(c).__name__} from {c.source!r} to {c.target!r} needs voltages of "
            "other devices within a step, which simulate_sharded does not exchange; use simulate"
        )
    for name, part in network.populations.items():
        if not isinstance(part, AbstractNeuron | AbstractSource | HomeostaticThreshold):
            raise ValueError(
                f"population {name!r} ({type(part).__name__}) is not of nj.neurons: only those, "
                "also within nj.plasticity.HomeostaticThreshold, are known to be neurons that do "
                "not depend on each other, and are divided; use simulate"
            )
