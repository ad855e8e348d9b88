"""Networks: populations joined by projections."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import paramax
from jaxtyping import Array

from neurojax.connectivity.delivery import deliver_through, in_rows
from neurojax.connectivity.edges import Edges
from neurojax.connectivity.pairs import Pairs
from neurojax.core import (
    AbstractCoupling,
    Block,
    Clock,
    ContinuousDynamics,
    Dynamics,
    Output,
    SimState,
    SpikeOutput,
    unwrap,
)
from neurojax.core._asked import Asked
from neurojax.core.block import check_coupling_port, joint_solver
from neurojax.core.errors import MissingInputError, UnknownNameError, suggestion
from neurojax.core.inputs import resolve
from neurojax.core.part_inputs import inputs_of, with_added
from neurojax.core.random import host_generator
from neurojax.core.run_checks import finite_positive
from neurojax.core.solvers import AbstractStepper
from neurojax.core.tracing import known

from . import _inbox
from ._copies import replaced
from ._couplings import check_coupling
from ._state_check import check_state
from ._terminals import Terminals
from .plan import ComputedPlan, Layout, Plan, compile_network
from .plastic import (
    PlasticPlan,
    PlasticStep,
    check,
    check_membrane,
    init,
    learnt_in,
    longest_ring,
    membrane,
    places_under_way,
    present_weights,
    rules_of,
)
from .projection import Projection
from .rewiring import rewired
from .summary import describe
from .synapses import Synapses, build, common_grid


class Network(Dynamics):
    r"""Populations joined by projections; itself a `Dynamics`: it simulates and fits like a cell.

    A spike at the end of a step (its label) changes the receptors of its targets so that the first
    state that shows it bears label + delay; the shortest delay is one step. Delays are counted on a
    grid of `dt`; `simulate` takes its own `dt` for that. All spikes are delivered, at a cost that
    follows their number. Populations that are joined by graded couplings (gap junctions) are
    advanced as one `Block`.

    The state is a dictionary: `"populations"` by name, `"inbox"` with the impulses that are under
    way (where the weight of every projection is one number: how many spikes arrive), `"release"`
    and `"plasticity"` by projection. Recorders see the populations,
    `nj.Trace("E.V_m")`, the weights of plastic projections and the terminals of those with release,
    see `visible` and `weights`.

    Arguments:
        populations: `Dynamics` by name.
        projections: a list of `Projection`.
        couplings: graded couplings without delay, such as `nj.synapses.GapJunctions("E", "E", g)`.
        key: `jax.random.key` from which graphs, weights and delays are drawn. Each projection draws
            from a stream of its own name, so that adding one leaves the others as they were.
        dt: the grid of delays in ms for use without `simulate`; default 0.1, or a finer one on
            which all delays that are one number lie.

    Raises:
        UnknownNameError: if a projection names a population or a port that is not there.
        ValueError: if something random has no key, a name is used twice, or the matrix of a
            coupling does not fit its populations.

    Example:
        >>> import jax, neurojax as nj
        >>> cell = nj.neurons.LIF(receptors={"exc": nj.synapses.ExpCurrent(tau=2.0)})
        >>> net = nj.Network(
        ...     {"E": cell.population(100)},
        ...     [
        ...         nj.Projection(
        ...             "E", "E", "exc", nj.connectivity.bernoulli(0.1), weight=50.0, delay=1.5
        ...         )
        ...     ],
        ...     key=jax.random.key(0),
        ... )
        >>> sim = nj.simulate(net, duration=50.0, dt=0.1, inputs={"E": {"I_e": 500.0}})
        >>> 50.0 < float(sim.stats.rates["E"]) < 80.0
        True
    """

    populations: dict[str, Dynamics]
    projections: dict[str, Synapses]
    couplings: tuple[AbstractCoupling, ...]
    block_solvers: dict[str, AbstractStepper]
    plans: tuple[Plan, ...]
    computed: tuple[ComputedPlan, ...]
    plastic: tuple[PlasticPlan, ...]
    layout: Layout = eqx.field(static=True)
    tables: tuple[Array, ...] | None

    def __init__(
        self, populations, projections=(), couplings=(), *, key=None, dt: float | None = None
    ):
        self.populations = _checked_populations(populations)
        sizes, identities = self.sizes, self._identities()
        built = {}
        if isinstance(projections, Projection):
            raise TypeError(f"projections must be a list, got {projections!r}: write [...]")
        for projection in projections:
            if not isinstance(projection, Projection):
                raise TypeError(f"projections must be a list of nj.Projection, got {projection!r}")
            self._check_names(projection)
            if projection.name in built:
                raise ValueError(
                    f"two projections are called {projection.name!r}; give one of them a name="
                )
            synapses = _built(projection, sizes, identities, key)
            self._check_sign(synapses)
            built[projection.name] = synapses
        self.projections = built
        for coupling in couplings:
            for role in (coupling.source, coupling.target):
                if role not in self.populations:
                    raise UnknownNameError(
                        f"a coupling names the population {role!r}, which is not there."
                        + suggestion(role, self.populations)
                    )
                if not isinstance(self.populations[role], ContinuousDynamics):
                    raise ValueError(
                        f"{type(coupling).__name__} from {coupling.source!r} to "
                        f"{coupling.target!r} needs a membrane at both ends, and the population "
                        f"{role!r} is a {type(self.populations[role]).__name__}, which has none; "
                        "spikes arrive by an nj.Projection"
                    )
            check_coupling_port(coupling, self.populations[coupling.target])
            check_coupling(coupling, self.populations)
        self.couplings = tuple(couplings)
        self.block_solvers = {
            "+".join(names): joint_solver({n: self.populations[n] for n in names})
            for names in self._joined()
        }
        self.tables = None
        grid = common_grid(self.projections) if dt is None else float(dt)
        for field, value in compile_network(self.projections, sizes, grid).items():
            setattr(self, field, value)
        for p in self.plastic:
            check_membrane(p, rules_of(self.projections[p.name]), self.populations)

    # -- structure ---------------------------------------------------------------------------

    @property
    def delivers(self) -> bool:
        """Whether there are projections, and with them an inbox."""
        return bool(self.plans or self.computed)

    @property
    def sizes(self) -> dict[str, int]:
        """The number of neurons of each population."""
        return {name: _size(part) for name, part in self.populations.items()}

    def _identities(self) -> dict[str, np.ndarray]:
        """A number for every neuron of the network, by population."""
        starts = np.cumsum([0, *self.sizes.values()])
        return {
            name: np.arange(lo, lo + n)
            for (name, n), lo in zip(self.sizes.items(), starts, strict=False)
        }

    def ends(self, projection: str) -> Pairs:
        """The two sides of a projection, and which pairs are one neuron with itself.

        Raises:
            UnknownNameError: if there is no such projection.
        """
        synapses, known = self._projection(projection), self._identities()
        pre, post = (
            np.concatenate([known[n] if part is None else known[n][part.of(len(known[n]))]
                            for n, part in side])
            for side in (synapses.source, synapses.target)
        )  # fmt: skip
        return Pairs(len(pre), len(post), pre, post)

    def with_edges(self, state, projection: str, edges: Edges, origin, weight: float | None = None):
        """The network and its state with other synapses of a plastic projection.

        Everything else stays. With a dendritic delay what is under way arrives where it was sent
        to; with an axonal one, the default, spikes wait on the axons, and reach the synapses that
        these have when they arrive: new ones too, but not those that are gone. The new network
        starts from the weights that the new state has.

        Delays are those that `edges` have. Else one delay for all stays; where delays are a
        function of distance, so are those between other neurons; of delays that are an array or
        were drawn each synapse keeps that of its origin, and new ones have those of synapses that
        go. `edges` get the distances of their pairs where positions are known
        (`distance_dependent`, `grid_neighbours`).

        Arguments:
            state: of the network, or a `SimState` such as `sim.final_state`.
            projection: its name.
            edges: as many synapses as before.
            origin: for each of them the old synapse whose weight and traces it takes over, or -1.
            weight: of the synapses without one, within the bounds of the rules; `None`: the
                weights of `edges`.

        Returns:
            Network and state, of the kind that was given.

        Raises:
            UnknownNameError: if there is no such projection.
            TypeError: if `origin` is not of whole numbers.
            ValueError: if the projection is not plastic, or has another number of synapses or of
                neurons; if `origin` names a synapse that is not there, or weights lie outside
                the bounds, are missing or given twice; if delays are a function of distances that
                are not known; if the longest delay changes and the state does not know its step,
                or what is under way does not fit into a shorter one; for new delays of a rule that
                reads the membrane potential with `delay="dendritic"`.
        """
        old = self._projection(projection)
        return rewired(self, state, old, edges, np.asarray(origin), weight)

    def _projection(self, name: str) -> Synapses:
        if name not in self.projections:
            raise UnknownNameError(
                f"there is no projection {name!r}.{suggestion(name, self.projections)}"
            )
        return self.projections[name]

    def _check_names(self, projection: Projection) -> None:
        for role in ("source", "target"):
            for name, _ in getattr(projection, role):
                if name not in self.populations:
                    raise UnknownNameError(
                        f"projection {projection.name!r} has the {role} {name!r}, but there is no "
                        f"such population.{suggestion(name, self.populations)}"
                    )
        for name, _ in projection.target:
            target = self.populations[name]
            ports = getattr(target, "receptors", None)
            # a source may stand for the postsynaptic spikes of a learning rule
            if not getattr(target, "receives", True) and projection.plasticity is None:
                raise ValueError(
                    f"projection {projection.name!r} ends on {name!r}, but "
                    f"{type(target).__name__} makes spikes and receives none"
                )
            if ports is not None and projection.port in ports and ports[projection.port].is_held:
                raise ValueError(
                    f"projection {projection.name!r} ends on the port {projection.port!r} of "
                    f"{name!r}, which takes functions of time, not spikes; give the population "
                    "another receptor for it"
                )
            if ports is not None and projection.port not in ports:
                known = ", ".join(map(repr, ports)) or "none"
                raise UnknownNameError(
                    f"projection {projection.name!r} ends on the port {projection.port!r}, but the "
                    f"receptors of {name!r} are: {known}.{suggestion(projection.port, ports)}"
                )

    def _check_sign(self, synapses: Synapses) -> None:
        """A conductance neither is nor learns to be negative, where numbers are known already."""
        ports = [getattr(self.populations[n], "receptors", {}) for n, _ in synapses.target]
        port, what = synapses.port, f"projection {synapses.name!r}"
        if not any(port in own and own[port].is_conductance for own in ports):
            return
        weight = unwrap(synapses.weight)
        if known(weight) and np.any(np.asarray(weight) < 0):
            raise ValueError(
                f"{what}: the weights of {port!r} are conductances and must not be negative, got "
                f"{np.min(np.asarray(weight)):g} (a distribution can be cut by "
                "nj.random.Clipped(..., low=0.0)). Inhibition has a receptor of its own, with a "
                "low E_rev: ExpConductance(E_rev=-80.0)"
            )
        # each rule keeps to its own bounds, so that a second one does not mend it in time
        for rule in rules_of(synapses):
            low = unwrap(rule.w_min)
            if known(low) and float(low) < 0:
                raise ValueError(
                    f"{what}: the weights of {port!r} are conductances and must not become "
                    f"negative, but {type(rule).__name__} has w_min={float(low):g}: give it w_min=0"
                )

    def _joined(self) -> list[tuple[str, ...]]:
        """Groups of populations that are joined by couplings, in the order of the populations."""
        group = {name: {name} for name in self.populations}
        joined = set()
        for c in self.couplings:
            joined |= {c.source, c.target}
            both = group[c.source] | group[c.target]
            for name in both:
                group[name] = both
        found: list[tuple[str, ...]] = []
        for name in self.populations:
            names = tuple(n for n in self.populations if n in group[name])
            if name in joined and names not in found:
                found.append(names)
        return found

    def _components(self) -> dict[tuple[str, ...], Dynamics]:
        """What is stepped as a whole: single populations, and blocks of coupled ones."""
        blocks = {}
        for names in self._joined():
            inside = [c for c in self.couplings if c.source in names]
            parts = {n: self.populations[n] for n in names}
            blocks[names] = Block(parts, inside, self.block_solvers["+".join(names)])
        in_block = {n for names in blocks for n in names}
        single = {(n,): part for n, part in self.populations.items() if n not in in_block}
        return single | blocks

    def _with_components(self, components) -> "Network":
        """The network with its populations and the solvers of its blocks from `components`."""
        populations, solvers = dict(self.populations), dict(self.block_solvers)
        for names, part in components.items():
            if isinstance(part, Block) and "+".join(names) in solvers:
                populations |= part.parts
                solvers["+".join(names)] = part.solver
            else:
                populations[names[0]] = part
        return replaced(self, populations=populations, block_solvers=solvers)

    def on_grid(self, dt: float) -> "Network":
        """The same network with its delays counted in steps of `dt` ms.

        Delays that are parameters are laid out anew where their values are known: outside of jit
        and grad. Inside they stay between the steps where they were.

        Raises:
            ValueError: if `dt` is no positive number, or a delay not a whole number of steps.
        """
        finite_positive("dt", dt)
        populations = {name: part.on_grid(dt) for name, part in self.populations.items()}
        new = replaced(self, populations=populations)
        moving = any(s.interpolate and s.has_known_delays for s in self.projections.values())
        if abs(self.layout.dt - dt) <= 1e-9 * dt and not moving:
            return new
        return replaced(new, **compile_network(self.projections, self.sizes, float(dt)))

    def summary(self) -> None:
        """Print the populations, projections, numbers of synapses and memory by part.

        Whether populations were silent or ran away is said by `sim.stats.warnings`.
        """
        print(describe(self))

    def as_continuous(self) -> ContinuousDynamics:
        """The whole network as one vector field.

        Raises:
            ValueError: naming the first part that has events or discrete state.
        """
        for name in self.projections:
            raise ValueError(
                f"projection {name!r} carries spikes, which have no vector field; leave "
                "stepsize_controller= out"
            )
        parts = {}
        for name, part in self.populations.items():
            part = part.as_continuous() if isinstance(part, Network) else part
            if not isinstance(part, ContinuousDynamics):
                raise ValueError(
                    f"population {name!r} ({type(part).__name__}) moves in discrete steps and has "
                    "no vector field; leave stepsize_controller= out"
                )
            if type(part).begin not in (ContinuousDynamics.begin, Block.begin):
                raise ValueError(
                    f"population {name!r} ({type(part).__name__}) changes its state at the "
                    "beginning of a step (a reset, a refractory period), which has no vector "
                    "field; leave stepsize_controller= out"
                )
            parts[name] = part
        return Block(parts, self.couplings)

    # -- the contract ------------------------------------------------------------------------

    def init_state(self, *, key=None):
        """The initial states of the populations, nothing under way.

        The impulses under way are counted on the grid of the network. Where a run has another `dt`
        than `Network(dt=)`, take the state of the network on its grid,
        `net.on_grid(dt).init_state()`.
        """
        clock = Clock(0, 1.0, key)
        own = lambda name: clock.child(name).key
        state = {
            "populations": {n: p.init_state(key=own(n)) for n, p in self.populations.items()},
            "inbox": jnp.zeros(self.layout.size * self.layout.steps * self.delivers),
        }
        release = {
            name: s.release.init_state(s.edges.n_pre)
            for name, s in self.projections.items()
            if s.release is not None
        }
        owned = {plan.owner: plan for plan in self.plans}
        plastic = {}
        for p in self.plastic:
            rules = rules_of(self.projections[p.name])
            V_m = membrane(p, rules, state["populations"])
            plastic[p.name] = init(p, rules, self._table(owned[p.name]), V_m, p.name in release)
        return (
            state
            | ({"release": release} if release else {})
            | ({"plasticity": plastic} if plastic else {})
        )

    def check_state(self, state) -> None:
        """Refuse the state of another network.

        Raises:
            ValueError: naming what does not fit: a population, release or plasticity of a
                projection, or its synapses.
        """
        check_state(self, state)

    def recounted(self, state, before, dt):
        """What the populations count in steps.

        Raises:
            ValueError: if delays are longer than a step, or a rule remembers: what the state holds
                of each step of `before` ms has no place in steps of `dt` ms.
        """
        rings = [("the inbox", self.layout.steps * self.delivers)]
        rings += [(f"projection {p.name!r}", longest_ring(p, self.projections[p.name]))
                  for p in self.plastic]  # fmt: skip
        for what, steps in rings:
            if steps > 1 and known(before):
                raise ValueError(
                    f"the state is of a grid of delays other than {dt:g} ms: {what} holds what is "
                    f"under way there in steps of {before:g} ms; go on with dt={before:g}, or "
                    f"begin with net.on_grid({dt:g}).init_state()"
                )
        own = state["populations"]
        own = {n: part.recounted(own[n], before, dt) for n, part in self.populations.items()}
        return state | {"populations": own}

    def visible(self, state):
        """The visible states of the populations by name.

        Under `"projections"` are weights of plastic projections, one per edge, and the terminals of
        projections with release, one per sending neuron, as they are at the end of the step (after
        the release of a spike there). They are recorded as
        `nj.Trace("projections.E->E:exc.weights")` and `nj.Trace("projections.E->E:exc.release.u")`.
        """
        populations = state["populations"]
        seen = {name: part.visible(populations[name]) for name, part in self.populations.items()}
        own = {p.name: {"weights": self.weights(state, p.name)} for p in self.plastic}
        for name, terminals in state.get("release", {}).items():
            release = self.projections[name].release
            own[name] = own.get(name, {}) | {"release": release.visible(terminals)}
        return seen | ({"projections": own} if own else {})

    def weights(self, state, projection: str) -> Array:
        """The present weights of a projection, one per edge in the order of its `edges`.

        Arguments:
            state: of the network, such as `sim.final_state`.
            projection: its name; where it does not learn, its weights are what they always were.

        Returns:
            Shape (edges,); of the states of several runs (`jax.vmap`) one row for each.

        Raises:
            UnknownNameError: if there is no such projection.
            TypeError: if `state` is no state of a network in which this projection learns.
            ValueError: if there it has other synapses or rules.
        """
        synapses = self._projection(projection)
        rules = rules_of(synapses)
        if not rules:
            return paramax.unwrap(synapses).weights()
        state = state.state if isinstance(state, SimState) else state
        plan = next(plan for plan in self.plans if plan.owner == projection)
        learnt = learnt_in(state, next(p for p in self.plastic if p.name == projection), rules)
        places = plan.places[projection][0]
        one = lambda learnt: present_weights(paramax.unwrap(rules), learnt).reshape(-1)[places]
        for _ in range(learnt["weights"].ndim - plan.targets.ndim):
            one = jax.vmap(one)
        return one(learnt)

    def without_host_data(self) -> "Network":
        """The network without the lists of its synapses: steps read its plans."""
        bare = lambda x: x.without_host_data() if isinstance(x, Dynamics | Synapses) else x
        populations = {name: bare(part) for name, part in self.populations.items()}
        projections = {name: bare(synapses) for name, synapses in self.projections.items()}
        return replaced(self, populations=populations, projections=projections)

    def prepare(self) -> "Network":
        """Prepare every population; put the weights in the order of the tables."""
        populations = {name: part.prepare() for name, part in self.populations.items()}
        tables = tuple(self._table(plan) for plan in self.plans)
        return replaced(self, populations=populations, tables=tables)

    def prepare_steps(self, state, inputs, clock: Clock) -> "Network":
        """Prepare the solvers of populations and blocks for steps of `clock.dt`."""
        ready = {}
        for names, part in self._components().items():
            own, given = self._part(names, state["populations"], inputs)
            ready[names] = part.prepare_steps(own, given, clock)
        return self._with_components(ready)

    def read_inputs(self, inputs, clock: Clock):
        """The inputs of each population as it wants them."""
        parts = self.populations
        projections = {p.name for p in self.plastic}

        def read(name, own):
            if name in parts:
                return parts[name].read_inputs(own, clock)
            if name not in projections:
                form = "" if isinstance(own, dict) else (
                    " Inputs of a network go by the names of populations, as in "
                    f"inputs={{{next(iter(parts))!r}: {{{name!r}: ...}}}}."
                )  # fmt: skip
                raise UnknownNameError(
                    f"the model never reads the input {name!r}.{form}"
                    + suggestion(name, [*parts, *sorted(projections)])
                )
            return resolve(own, clock)

        return {name: read(name, own) for name, own in inputs.items()}

    def narrowed(self, state):
        """Impulses under way as whole numbers of few bytes, where spikes alone are counted."""
        found = {n: p.narrowed(state["populations"][n]) for n, p in self.populations.items()}
        same: Any = True
        for _, each in found.values():
            same = same & each
        state = state | {"populations": {name: own for name, (own, _) in found.items()}}
        state, counted = _inbox.narrowed(state, self.layout)
        return state, same & counted

    def carried(self):
        """The weights that synapses have of their own, in the order of the tables."""
        if self.tables is None:
            return ()
        learning = {p.name for p in self.plastic}
        return tuple(
            None if plan.owner in learning or table.ndim < 2 else table
            for plan, table in zip(self.plans, self.tables, strict=True)
        )

    def step(self, state, inputs, clock: Clock):
        """Step all populations with the impulses that arrive now, then send their spikes off."""
        return self.step_carrying(state, inputs, clock, ())[:2]

    def step_carrying(self, state, inputs, clock: Clock, carried):
        """`step`, with the weights that the loop over time carries."""
        layout, inbox = self.layout, state["inbox"]
        places = layout.size * layout.steps * self.delivers
        found = [(inbox.size, places, "inbox")]
        found += [(state["plasticity"][p.name]["under_way"].size, places_under_way(p),
                   f"ring of spikes of {p.name!r}") for p in self.plastic]  # fmt: skip
        for own, wanted, what in found:
            if own != wanted:
                raise ValueError(
                    f"the state is that of another network, or of a grid of delays other than "
                    f"{layout.dt:g} ms: its {what} has {own} places, this network has {wanted}; "
                    "go on with the same network and dt, or begin with "
                    f"net.on_grid({layout.dt:g}).init_state(), the state of the network on the "
                    f"grid of this run; Network(..., dt={layout.dt:g}) has that grid at once"
                )
        learning = {
            p.name: PlasticStep(
                p, rules_of(self.projections[p.name]), state["plasticity"][p.name],
                inputs_of(inputs, p.name), clock,
            )
            for p in self.plastic
        }  # fmt: skip
        for plan in self.plans:
            if plan.owner in learning:
                turn = _inbox.turn(clock.step, layout.size, layout.steps)
                inbox = learning[plan.owner].arrive(inbox, plan.targets, turn)
        inbox, arrived = _inbox.take(inbox, clock.step, layout.size, layout.steps)
        impulses = self._impulses(arrived)
        new: dict[str, Any] = {"populations": {}}
        outputs: dict[str, Output] = {}
        for names, part in self._components().items():
            own, given = self._part(names, state["populations"], inputs, impulses)
            name = "+".join(names)
            alone = names not in self._joined()
            if alone and (ports := self._ports_to_read(name)):
                moved, output = _step_that_reads(part, name, own, given, ports, clock)
            else:
                try:
                    moved, output = part.step(own, given, clock.child(name))
                except MissingInputError as error:
                    raise MissingInputError(
                        f"population {name!r}: {error}; in a network inputs={{{name!r}: {{...}}}}"
                    ) from error
            if alone:
                moved, output = {name: moved}, Output(parts={name: output})
            new["populations"] |= moved
            outputs |= output.parts
        if not self.delivers:
            return new | {"inbox": inbox}, Output(parts=outputs), carried
        # everything has read the inbox before it is cleared in place
        new["populations"], inbox = jax.lax.optimization_barrier((new["populations"], inbox))
        inbox = _inbox.cleared(inbox, clock.step, layout.size, layout.steps)
        outputs, words = self._packed(outputs)
        joined = lambda names: jnp.concatenate([words[name] for name in names])
        for p in self.plastic:
            own = learning[p.name]
            V_m = membrane(p, own.rules, new["populations"])
            own.fire(joined(p.sources), joined(p.targets), V_m)
        sent, carried = self._send(state, outputs, words, inbox, clock, learning, carried)
        new |= sent
        if learning:
            new["plasticity"] = {name: step.state() for name, step in learning.items()}
        return new, Output(parts={name: outputs[name] for name in self.populations}), carried

    # -- one step ----------------------------------------------------------------------------

    def _part(self, names, states, inputs, impulses=None):
        """State and inputs of a component."""
        impulses = {} if impulses is None else impulses
        given = {
            name: with_added(inputs_of(inputs, name), impulses.get(name, {})) for name in names
        }
        if names in self._joined():
            return {name: states[name] for name in names}, given
        return states[names[0]], given[names[0]]

    def _ports_to_read(self, name: str) -> list[str]:
        """Ports on which projections end at a population that has no receptors to look them up."""
        if hasattr(self.populations[name], "receptors"):
            return []
        # a source may stand for the postsynaptic spikes of a learning rule
        static = (s for s in self.projections.values() if s.plasticity is None)
        return [s.port for s in static if any(target == name for target, _ in s.target)]

    def _impulses(self, arrived: Array) -> dict[str, dict[str, Array]]:
        """What arrives at each port of each population in this step."""
        found: dict[str, dict[str, Array]] = {}
        for (name, port), regions in self.layout.regions:
            total: Any = None
            for region in regions:
                part = arrived[region.start : region.start + region.size]
                part = part.astype(jnp.result_type(float))
                if region.scale is not None:
                    weight = self.projections[region.scale].weight
                    part = part * jnp.asarray(weight, part.dtype)
                total = part if total is None else total + part
            found.setdefault(name, {})[port] = total
        return found

    def _packed(self, outputs: dict[str, Output]):
        """The packed spikes of all sources, kept in their outputs too."""
        outputs, words = dict(outputs), {}
        for name, n in self.layout.sources:
            spikes = outputs[name].spikes
            if spikes is None:
                raise ValueError(
                    f"population {name!r} is the source of a projection (or the target of a "
                    "plastic one), but never spikes"
                )
            if spikes.value.shape != (n,):
                raise ValueError(
                    f"population {name!r} has n = {n}, but spikes of shape {spikes.value.shape}"
                )
            words[name] = spikes.packed()
        words = jax.lax.optimization_barrier(words)
        for name, packed in words.items():
            old = outputs[name]
            spikes = eqx.tree_at(lambda s: s.words, old.spikes, packed, is_leaf=lambda x: x is None)
            outputs[name] = Output(spikes, old.values, old.parts)
        return outputs, words

    def _send(self, state, outputs, words, inbox, clock: Clock, learning, carried):
        """Deliver the spikes into the inbox."""
        layout, release = self.layout, {}
        through: list[Any] = list(carried) if carried else [None] * len(self.plans)
        turn = _inbox.turn(clock.step, layout.size, layout.steps)
        tables = [self._table(p) for p in self.plans] if self.tables is None else self.tables
        for i, (plan, table) in enumerate(zip(self.plans, tables, strict=True)):
            if plan.owner in learning:
                table = learning[plan.owner].w
            names = [name for name, _ in plan.sources]
            spikes: list[SpikeOutput] = [outputs[name].spikes for name in names]
            own = jnp.concatenate([words[name] for name in names])
            amplitude: Any = 1.0
            if plan.owner is not None and plan.owner in state.get("release", {}):
                found, release[plan.owner] = self._released(plan.owner, state, outputs, clock)
                amplitude = jnp.concatenate([in_rows(found[name]) for name in names])
            if plan.owner in learning and learning[plan.owner].plan.axonal:
                # spikes are delivered when they arrive, with the amplitude that they have now
                learning[plan.owner].send(amplitude)
                continue
            inbox, through[i] = deliver_through(
                inbox, amplitude, table, through[i], own, plan.targets, turn, spikes
            )
        for plan in self.computed:
            spikes, amplitude = outputs[plan.source].spikes, 1.0
            if plan.name in state.get("release", {}):
                found, release[plan.name] = self._released(plan.name, state, outputs, clock)
                amplitude = found[plan.source]
            inbox = plan.deliver(inbox, self.projections[plan.name], amplitude, spikes, turn)
        sent = {"inbox": inbox} | ({"release": release} if release else {})
        return sent, tuple(through) if carried else carried

    def _released(self, name: str, state, outputs: dict[str, Output], clock: Clock):
        """The amplitudes by source for a projection with release, and its new state."""
        synapses = self.projections[name]
        spikes: dict[str, Any] = {source: outputs[source].spikes for source, _ in synapses.source}
        fired = {source: own.fired() for source, own in spikes.items()}
        terminals = Terminals(name, synapses.source, synapses.release)
        return terminals.released(state["release"][name], fired, clock)

    def _table(self, plan: Plan) -> Array:
        return plan.table(self.projections, self.layout.dt, jnp.result_type(float))


def _checked_populations(populations) -> dict[str, Dynamics]:
    if not isinstance(populations, dict) or not populations:
        raise TypeError(
            "populations must be a dictionary by name, for example {'E': cell.population(100)}, "
            f"got {populations!r}"
        )
    for name, part in populations.items():
        if not isinstance(part, Dynamics):
            raise TypeError(f"population {name!r} must be a neurojax Dynamics, got {part!r}")
        if not isinstance(name, str) or not name or set(name) & set(".+"):
            raise ValueError(f"a population must have a name without '.' and '+', got {name!r}")
    return dict(populations)


def _size(part: Dynamics) -> int:
    """The number of neurons of a population: its field `n`, else the length of its state."""
    n = getattr(part, "n", None)
    if isinstance(n, int):
        return n
    leaves = jax.tree.leaves(jax.eval_shape(lambda: part.init_state(key=jax.random.key(0))))
    return max((leaf.shape[0] for leaf in leaves if leaf.ndim), default=1)


def _built(projection: Projection, sizes, identities, key) -> Synapses:
    """The synapses of a projection, from a stream of random numbers of its own."""
    with jax.ensure_compile_time_eval():  # a key that is no argument is a number inside jit too
        own = jax.random.key(0) if key is None else key
        rng = host_generator(Clock(0, 1.0, own).child(projection.name).key)
    before = rng.bit_generator.state
    synapses = build(projection, sizes, identities, rng)
    if key is None and rng.bit_generator.state != before:
        raise ValueError(
            f"projection {projection.name!r} is random: give the network key=jax.random.key(0)"
        )
    check(synapses)
    return synapses


def _step_that_reads(part, name: str, own, given, ports, clock: Clock):
    """A step of a population without receptors: it must read what projections end on."""
    watched = given if isinstance(given, Asked) else Asked(given)
    try:
        result = part.step(own, watched, clock.child(name))
    except (KeyError, TypeError, ValueError):
        return part.step(own, given, clock.child(name))  # it wants a plain dictionary
    for port in ports:
        if port not in watched.asked:
            raise UnknownNameError(
                f"a projection ends on the port {port!r} of {name!r}, which "
                f"{type(part).__name__} never reads.{suggestion(port, watched.asked)}"
            )
    return result
