"""Predicted signs of chemical synapses."""

import numpy as np
from jaxtyping import Int8

from neurojax.connectomes._embedded import embedded


def fenyves2020_signs() -> Int8[np.ndarray, "pre post"]:
    """Signs of chemical synapses predicted from transmitters and receptor expression.

    +1 excitatory (1,327 entries), -1 inhibitory (425), 0 free. The table covers 3,638 pairs of
    neurons; those it calls complex (471) or leaves without a prediction (1,415) have no sign and
    are free, as is every pair that it does not cover.

    Source: Fenyves, Szilagyi, Vassy, Soti, Csermely 2020, *PLoS Comput Biol* 16:e1007974.

    Returns:
        Signs [pre, post] of the 302 neurons in the order of `neurons().names`.

    Example:
        >>> signs = fenyves2020_signs()
        >>> int((signs > 0).sum()), int((signs < 0).sum())
        (1327, 425)
    """
    codes = embedded("fenyves2020_signs")["code"]
    return np.where(np.abs(codes) == 1, codes, 0).astype(np.int8)
