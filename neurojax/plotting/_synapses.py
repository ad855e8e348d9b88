"""What pictures read of a projection."""

from typing import Any

import numpy as np

from neurojax.core import unwrap


def weights_of(synapses: Any) -> np.ndarray:
    """The weight of each synapse of a projection of a network."""
    return np.asarray(unwrap(synapses).weights())
