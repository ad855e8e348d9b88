"""A graded circuit with conductances, as in the model of Kunert, Shlizerman and Kutz."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from neurojax.connectomes import Connectome
from neurojax.core import ContinuousDynamics, Parameter, as_parameter, frozen, unwrap
from neurojax.core.solvers import AbstractStepper, ExponentialEuler


@final
class ConductanceCircuit(ContinuousDynamics):
    r"""Graded neurons with leak, gap and synaptic conductances on a connectome.

    $$C_m \dot V_i = -g_L(V_i - E_L) - \sum_j G^g_{ij}(V_i - V_j)
      - \sum_j G^s_{ji}\, s_j\,(V_i - E_j) + I_i$$
    $$\dot s_i = a_r\,\varphi(V_i)(1 - s_i) - a_d\, s_i, \qquad
      \varphi(V) = 1/(1 + e^{-\beta (V - V_{th,i})})$$

    $V_{th}$ is the steady state at which every synapse is half activated: the solution of the
    linear system with $\varphi = 1/2$ under the constant input `I_threshold`. The state is
    `{"V": (n,), "s": (n,)}`, the input is `I_e` in pA.

    The published simulations of locomotion put the thresholds at the steady state under the
    stimulus itself, `I_threshold` = `I_e`. With 2000 pA into PLML and PLMR that steady state is
    unstable and the motor neurons oscillate in two modes. With thresholds at the rest without
    input the same stimulus saturates the synapses and nothing oscillates.

    Source: Kunert, Shlizerman & Kutz (2014), Physical Review E 89, 052805; conductance of the
    synapses after Wicks, Roehrig & Rankin (1996), Journal of Neuroscience 16, 4017.

    Arguments:
        connectome: counts of synapses and junctions multiply the conductances.
        inhibitory: booleans per neuron; default: neurons whose first transmitter is GABA (SMD,
            cholinergic with some GABA, is excitatory).
        C_m: capacitance, pF.
        g_L: leak conductance, nS.
        g_contact: conductance of one contact, nS.
        E_L: leak reversal, mV.
        E_exc: reversal of excitatory synapses, mV.
        E_inh: reversal of inhibitory synapses, mV.
        beta: steepness of the synaptic activation, per mV.
        a_r: rise rate of the synaptic activation, per ms.
        a_d: decay rate of the synaptic activation, per ms.
        I_threshold: constant input at which the thresholds are the steady state, scalar or (n,),
            pA.
        solver: default `ExponentialEuler`; the gap junctions make the system stiff.

    Raises:
        ValueError: if `inhibitory` is not one boolean per neuron, or `I_threshold` does not fit.

    Example:
        >>> import neurojax as nj
        >>> worm = nj.circuits.ConductanceCircuit(nj.connectomes.varshney2011())
        >>> sim = nj.simulate(worm, duration=10.0, dt=1.0)
        >>> sim.final_state.state["V"].shape
        (279,)
    """

    names: tuple[str, ...] = eqx.field(static=True)
    chemical: Any  # contacts [pre, post]
    gap: Any  # contacts, symmetric
    inhibitory: Bool[Array, " n"]
    C_m: Parameter
    g_L: Parameter
    g_contact: Parameter
    E_L: Parameter
    E_exc: Parameter
    E_inh: Parameter
    beta: Parameter
    a_r: Parameter
    a_d: Parameter
    I_threshold: Parameter
    solver: AbstractStepper

    def __init__(
        self,
        connectome: Connectome,
        *,
        inhibitory: Any = None,
        C_m: Any = 1.5,
        g_L: Any = 0.01,
        g_contact: Any = 0.1,
        E_L: Any = -35.0,
        E_exc: Any = 0.0,
        E_inh: Any = -48.0,
        beta: Any = 0.125,
        a_r: Any = 1.0 / 1500.0,
        a_d: Any = 5.0 / 1500.0,
        I_threshold: Any = 0.0,
        solver: AbstractStepper | None = None,
    ):
        connectome = connectome.without_self_edges()
        if inhibitory is None:
            inhibitory = [t.split("|")[0] == "GABA" for t in connectome.transmitters]
        inhibitory = np.asarray(inhibitory)
        if inhibitory.shape != (len(connectome),) or inhibitory.dtype != bool:
            raise ValueError(
                f"inhibitory must be one boolean per neuron ({len(connectome)}), got "
                f"{inhibitory.dtype} of shape {inhibitory.shape}"
            )
        self.names = connectome.names
        self.chemical = frozen(as_parameter(connectome.chemical))
        self.gap = frozen(as_parameter(connectome.gap))
        self.inhibitory = jnp.asarray(inhibitory)
        self.C_m, self.g_L, self.g_contact = map(as_parameter, (C_m, g_L, g_contact))
        self.E_L, self.E_exc, self.E_inh = map(as_parameter, (E_L, E_exc, E_inh))
        self.beta, self.a_r, self.a_d = map(as_parameter, (beta, a_r, a_d))
        self.I_threshold = as_parameter(I_threshold)
        shape = np.shape(unwrap(self.I_threshold))
        if shape not in ((), (len(connectome),)):
            raise ValueError(
                f"I_threshold must be one number or one per neuron ({len(connectome)}), got an "
                f"array of shape {shape}"
            )
        self.solver = ExponentialEuler() if solver is None else solver

    def init_state(self, *, key=None) -> dict[str, Array]:
        """The steady state under `I_threshold`: V at its threshold, synapses half activated."""
        ready = self.prepare()
        return {"V": ready.V_th, "s": jnp.full_like(ready.V_th, ready.s_rest())}

    def drift(self, t, state, inputs) -> dict[str, Array]:
        """dV/dt in mV per ms and ds/dt per ms; see the class."""
        return self.prepare().drift(t, state, inputs)

    def decay(self, t, state, inputs) -> dict[str, Array]:
        """Total conductance over capacitance, and the rate at which s relaxes; per ms."""
        return self.prepare().decay(t, state, inputs)

    def prepare(self) -> "PreparedConductances":
        """The circuit with its conductance matrices and its threshold, computed once per run."""
        m = unwrap(self)
        G_syn, G_gap = m.g_contact * m.chemical, m.g_contact * m.gap
        E_rev = jnp.where(m.inhibitory, m.E_inh, m.E_exc)
        s_rest = _half_activated(m.a_r, m.a_d)
        # balance of currents with every synapse at s_rest: a linear system for V
        into = jnp.sum(G_syn, axis=0) * s_rest
        total = m.g_L + jnp.sum(G_gap, axis=0) + into
        matrix = jnp.diag(jnp.broadcast_to(total, into.shape)) - G_gap
        V_th = jnp.linalg.solve(matrix, m.g_L * m.E_L + (s_rest * E_rev) @ G_syn + m.I_threshold)
        return PreparedConductances(
            G_syn, G_gap, jnp.sum(G_gap, axis=0), E_rev, V_th, m.C_m, m.g_L, m.E_L, m.beta,
            m.a_r, m.a_d, m.solver,
        )  # fmt: skip

    def equilibrium(self, I_e: Any = 0.0) -> dict[str, Array]:
        """The steady state under a constant input (pA), solved by optimistix; differentiable.

        The root is found by Newton's method from the thresholds and differentiated through the
        implicit function theorem. It need not be stable: with thresholds that follow the input,
        the circuit oscillates around it above a critical input.

        Arguments:
            I_e: scalar or (n,), pA.

        Raises:
            RuntimeError: if Newton's method does not converge.

        Example:
            >>> import neurojax as nj
            >>> wiring = nj.connectomes.varshney2011().subset(["AVAL", "AVAR", "AVBL", "PVCL"])
            >>> worm = nj.circuits.ConductanceCircuit(wiring)
            >>> rest = worm.equilibrium()
            >>> bool(abs(worm.drift(0.0, rest, {})["V"]).max() < 1e-3)
            True
        """
        import optimistix

        ready = self.prepare()
        current = jnp.broadcast_to(as_parameter(I_e), ready.V_th.shape)

        def imbalance(V, current):
            s = ready.steady_activation(V)
            return ready.drift(0.0, {"V": V, "s": s}, {"I_e": current})["V"]

        tolerance = 1e-8 if ready.V_th.dtype == jnp.float64 else 1e-4
        solver = optimistix.Newton(rtol=tolerance, atol=tolerance)
        found = optimistix.root_find(
            imbalance, solver, ready.V_th, current, max_steps=256, throw=False
        )
        V = eqx.error_if(
            found.value,
            found.result != optimistix.RESULTS.successful,
            "the equilibrium was not found by Newton's method from the thresholds; move "
            "I_threshold closer to the input or simulate to the steady state",
        )
        return {"V": V, "s": ready.steady_activation(V)}


@final
class PreparedConductances(ContinuousDynamics):
    """A `ConductanceCircuit` with its matrices; made by `ConductanceCircuit.prepare`."""

    G_syn: Float[Array, "pre post"]  # nS
    G_gap: Float[Array, "n n"]  # nS
    gap_sum: Float[Array, " n"]
    E_rev: Float[Array, " pre"]  # mV
    V_th: Float[Array, " n"]  # mV
    C_m: Float[Array, "..."]
    g_L: Float[Array, "..."]
    E_L: Float[Array, "..."]
    beta: Float[Array, "..."]
    a_r: Float[Array, "..."]
    a_d: Float[Array, "..."]
    solver: AbstractStepper

    def init_state(self, *, key=None):
        """See `ConductanceCircuit.init_state`."""
        return {"V": self.V_th, "s": jnp.full_like(self.V_th, self.s_rest())}

    def s_rest(self):
        """Synaptic activation at threshold."""
        return _half_activated(self.a_r, self.a_d)

    def steady_activation(self, V):
        """The activation s to which a constant V leads."""
        rise = self.a_r * jax.nn.sigmoid(self.beta * (V - self.V_th))
        return rise / (rise + self.a_d)

    def drift(self, t, state, inputs):
        """See `ConductanceCircuit`."""
        V, s = state["V"], state["s"]
        synaptic = (s * self.E_rev) @ self.G_syn - V * (s @ self.G_syn)
        gap = V @ self.G_gap - V * self.gap_sum
        current = self.g_L * (self.E_L - V) + gap + synaptic
        external = inputs.get("I_e")
        current = current if external is None else current + external
        rise = self.a_r * jax.nn.sigmoid(self.beta * (V - self.V_th))
        return {"V": current / self.C_m, "s": rise * (1.0 - s) - self.a_d * s}

    def decay(self, t, state, inputs):
        """See `ConductanceCircuit`."""
        V, s = state["V"], state["s"]
        rise = self.a_r * jax.nn.sigmoid(self.beta * (V - self.V_th))
        total = self.g_L + self.gap_sum + s @ self.G_syn
        return {"V": total / self.C_m, "s": rise + self.a_d}


def _half_activated(a_r, a_d):
    return 0.5 * a_r / (0.5 * a_r + a_d)
