"""The rules of each level of GLIF, by hand, for one spike."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import neurojax as nj

C, G, E, TH = 58.72, 9.43, -78.85, -51.68
T_REF, ADD, B_S, F_V, D_V = 3.75, 0.37, 0.009, 0.2, 18.51
AMPS, K = np.array([-9.18, -198.94]), np.array([0.003, 0.1])
R = np.array([0.5, 0.25])
A_V, B_V = 0.005, 0.09
START = {"V_m": -50.0, "I_1": 4.0, "I_2": -8.0, "theta_s": 0.2, "theta_v": 0.1}


def cell(level, **options):
    names = {1: ["V_m"], 2: ["V_m", "theta_s"], 3: ["V_m", "I_1", "I_2"]}
    names |= {4: [*names[2], "I_1", "I_2"], 5: list(START)}
    initial = {name: START[name] for name in names[level]}
    return nj.neurons.GLIF(level=level, asc_r=tuple(R), initial=initial, **options)


def after(level):
    """The state after the rules of a level were applied to `START`."""
    y = {"V_m": E}
    if level in (2, 4, 5):
        y["V_m"] = E + F_V * (-50.0 - E) + D_V
        y["theta_s"] = 0.2 * np.exp(-B_S * T_REF) + ADD
    if level in (3, 4, 5):
        kept = R * np.array([4.0, -8.0]) * np.exp(-K * T_REF)
        y["I_1"], y["I_2"] = kept + AMPS
    if level == 5:
        y["theta_v"] = 0.1
    return y


@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_a_spike_applies_the_rules_of_the_level(level):
    model = cell(level)
    state = model.init_state()
    for seen in (model.visible(state), model.begin(state, nj.Clock(0, 0.05))):
        for name, value in after(level).items():
            np.testing.assert_allclose(seen[name], [value], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("level", [1, 2, 5])
def test_held_then_free_as_an_integrator_says(level):
    """75 steps of 0.05 ms in which nothing moves, then the linear equations."""
    sim = nj.simulate(
        cell(level), duration=10.0, dt=0.05, inputs={"I_e": 30.0},
        record={"all": nj.Trace(lambda state: state)},
    )  # fmt: skip
    y0 = after(level)
    own = [name for name in START if name in y0]

    def rates(t, y):
        s = dict(zip(own, y, strict=True))
        total = 30.0 + s.get("I_1", 0.0) + s.get("I_2", 0.0)
        out = {"V_m": (total - G * (s["V_m"] - E)) / C}
        out["theta_v"] = A_V * (s["V_m"] - E) - B_V * s.get("theta_v", 0.0)
        out["theta_s"] = -B_S * s.get("theta_s", 0.0)
        out["I_1"], out["I_2"] = -K[0] * s.get("I_1", 0.0), -K[1] * s.get("I_2", 0.0)
        return [out[name] for name in own]

    grid = 0.05 * np.arange(1, 126)
    start = [y0[name] for name in own]
    free = solve_ivp(rates, (0, 6.25), start, t_eval=grid, rtol=1e-11, atol=1e-11)
    for i, name in enumerate(own):
        values = sim["all"][name][:, 0]
        np.testing.assert_array_equal(values[:75], values[0])
        np.testing.assert_allclose(values[75:], free.y[i], rtol=1e-8, err_msg=name)


def test_threshold_is_the_sum_of_its_parts():
    model = cell(5)
    state = model.init_state()
    np.testing.assert_allclose(model.threshold(state), [TH + 0.2 + 0.1], rtol=1e-12)
    np.testing.assert_allclose(cell(1).threshold({}), TH, rtol=1e-12)


def test_still_above_threshold_after_the_reset():
    """A reset that leaves V above threshold: one spike per refractory time, not one per step."""
    model = nj.neurons.GLIF(level=2, voltage_reset_add=60.0, t_ref=1.0, th_spike_add=0.0)
    sim = nj.simulate(
        model, duration=5.0, dt=0.1, inputs={"I_e": 1e4}, record={"s": nj.Spikes()}
    )  # fmt: skip
    steps = np.round(np.diff(sim["s"].times) / 0.1)
    assert len(steps) >= 3
    np.testing.assert_array_equal(steps, 11)


def test_components_per_neuron():
    amps = (jnp.array([-10.0, 0.0]), -100.0)
    model = nj.neurons.GLIF(level=3, n=2, asc_amps=amps, initial={"V_m": -40.0})
    np.testing.assert_allclose(model.visible(model.init_state())["I_1"], [-10.0, 0.0])


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("th_spike_decay", -0.05, "-0.05"), ("th_voltage_decay", -0.09, "-0.09"),
        ("asc_decay", (0.003, -0.1), "-0.1"), ("t_ref", -1.0, "-1.0"),
    ],
)  # fmt: skip
def test_negative_rates_are_refused(name, value, shown):
    with pytest.raises(ValueError, match=f"{name} of GLIF must not be negative, got {shown}"):
        nj.neurons.GLIF(level=2, **{name: value})
    assert nj.neurons.GLIF(asc_decay=(0.0, 0.1), th_spike_decay=0.0).level == 5  # no decay at all
