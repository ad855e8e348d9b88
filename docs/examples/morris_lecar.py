"""The Morris-Lecar neuron, complete in one file."""

from typing import final

import jax.numpy as jnp

import neurojax as nj


@final
class MorrisLecar(nj.ContinuousDynamics):
    r"""A calcium and a potassium current: the smallest conductance-based spiking neuron.

    $$C\dot V = I - g_L(V - E_L) - g_{Ca}\,m_\infty(V)\,(V - E_{Ca}) - g_K w\,(V - E_K), \qquad
      \dot w = \varphi \cosh\!\left(\frac{V - V_3}{2 V_4}\right)(w_\infty(V) - w)$$

    $m_\infty = \tfrac12[1 + \tanh((V - V_1)/V_2)]$, and $w_\infty$ alike with $V_3, V_4$. A field
    may be one number or one per cell. Input: `I_e` (pA). Read-out: `I_Ca` (pA).

    Arguments:
        n: number of cells.
        C_m: capacitance, pF.
        g_L, g_Ca, g_K: conductances, nS.
        E_L, E_Ca, E_K: reversal potentials, mV.
        V_1, V_2, V_3, V_4: half activations and slopes, mV.
        phi: rate of potassium activation, 1/ms.

    Source: Morris and Lecar 1981, Biophys J 35:193; default values for a patch of 100 µm² with
    oscillations that begin by a Hopf bifurcation.
    """

    n: int
    C_m: nj.Parameter = nj.parameter(20.0)
    g_L: nj.Parameter = nj.parameter(2.0)
    g_Ca: nj.Parameter = nj.parameter(4.4)
    g_K: nj.Parameter = nj.parameter(8.0)
    E_L: nj.Parameter = nj.parameter(-60.0)
    E_Ca: nj.Parameter = nj.parameter(120.0)
    E_K: nj.Parameter = nj.parameter(-84.0)
    V_1: nj.Parameter = nj.parameter(-1.2)
    V_2: nj.Parameter = nj.parameter(18.0)
    V_3: nj.Parameter = nj.parameter(2.0)
    V_4: nj.Parameter = nj.parameter(30.0)
    phi: nj.Parameter = nj.parameter(0.04)
    solver: nj.solvers.AbstractStepper = nj.solvers.Heun()

    def init_state(self, *, key=None):
        """All cells at the leak's reversal potential, potassium channels closed."""
        V = jnp.broadcast_to(self.E_L, (self.n,))
        return {"V_m": V, "w": jnp.zeros_like(V)}

    def drift(self, t, state, inputs):
        """dV/dt in mV/ms and dw/dt in 1/ms."""
        V, w = state["V_m"], state["w"]
        current = inputs.get("I_e", 0.0) - self.calcium(V)
        current = current - self.g_L * (V - self.E_L) - self.g_K * w * (V - self.E_K)
        target = 0.5 * (1.0 + jnp.tanh((V - self.V_3) / self.V_4))
        rate = self.phi * jnp.cosh((V - self.V_3) / (2.0 * self.V_4))
        return {"V_m": current / self.C_m, "w": rate * (target - w)}

    def emit(self, state, clock):
        """The calcium current of the new state."""
        return nj.Output(values={"I_Ca": self.calcium(state["V_m"])})

    def calcium(self, V):
        """The calcium current in pA, inward negative."""
        open_fraction = 0.5 * (1.0 + jnp.tanh((V - self.V_1) / self.V_2))
        return self.g_Ca * open_fraction * (V - self.E_Ca)
