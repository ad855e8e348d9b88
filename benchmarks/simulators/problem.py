"""The balanced network that every simulator gets: the same edges and the same initial values.

Vogels and Abbott's conductance-based network (the COBA benchmark of Brette et al., 2007) with a
fixed in-degree of 64 excitatory and 16 inhibitory synapses at every size. Only numpy is needed,
so that it can be read in the environment of any simulator.
"""

import numpy as np

CONSTANTS = {
    "C_m": 200.0,  # pF
    "g_L": 10.0,  # nS
    "E_L": -60.0,  # mV
    "V_th": -50.0,
    "V_reset": -60.0,
    "t_ref": 5.0,  # ms
    "w_e": 6.0,  # nS
    "w_i": 67.0,
    "tau_e": 5.0,  # ms
    "tau_i": 10.0,
    "E_e": 0.0,  # mV
    "E_i": -80.0,
    "delay": 0.1,  # ms
}
IN_DEGREE = {"e": 64, "i": 16}


def sources(rng, n_pre, first, n, k):
    """For each of n neurons k different sources out of first .. first + n_pre - 1, not itself."""
    own = np.arange(n)[:, None] - first
    chosen = rng.integers(0, n_pre, (n, k))
    while True:
        chosen.sort(axis=1)
        wrong = chosen == own
        wrong[:, 1:] |= chosen[:, 1:] == chosen[:, :-1]
        if not wrong.any():
            return (chosen + first).astype(np.int32)
        chosen[wrong] = rng.integers(0, n_pre, int(wrong.sum()))


def make(n, seed):
    """Arrays of one network of n neurons; the first four fifths of them are excitatory."""
    rng = np.random.default_rng(seed)
    n_e = n * 4 // 5
    normal = rng.standard_normal((3, n))
    arrays = {
        "V": -65.0 + 5.0 * normal[0],
        "g_e": np.maximum(0.0, 40.0 + 15.0 * normal[1]),
        "g_i": np.maximum(0.0, 200.0 + 120.0 * normal[2]),
    }
    for name, n_pre, first in (("e", n_e, 0), ("i", n - n_e, n_e)):
        k = IN_DEGREE[name]
        pre = sources(rng, n_pre, first, n, k).ravel()
        post = np.repeat(np.arange(n, dtype=np.int32), k)
        order = np.lexsort((post, pre))
        arrays[f"pre_{name}"], arrays[f"post_{name}"] = pre[order], post[order]
        arrays[f"delay_steps_{name}"] = rng.integers(1, 11, n * k).astype(np.int32)
    return arrays


def save(path, n, seed):
    """Write the arrays of one network."""
    np.savez(path, n=n, n_e=n * 4 // 5, seed=seed, **make(n, seed))


def load(path):
    """The arrays that `save` wrote."""
    with np.load(path) as file:
        arrays = {k: file[k] for k in file.files}
    return {k: v.item() if v.ndim == 0 else v for k, v in arrays.items()}
