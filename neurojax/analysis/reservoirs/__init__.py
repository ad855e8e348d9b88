r"""What a reservoir keeps, computes and tells apart, in numbers.

Rates are arrays [time, unit], such as `nj.fitting.unroll(circuit, trial).rates`; those of time t
have already received the input of time t. Capacities take several series [series, time, unit] as
well. States of many inputs are [sample, unit].
Everything is a JAX function that can be jitted and vmapped over a sweep, with shapes, delays and
other whole numbers fixed.

| question | measure |
| --- | --- |
| how long are inputs remembered? | `memory_capacity` |
| which functions of past inputs are computed? | `information_processing_capacity` |
| how many inputs are told apart? | `kernel_quality` |
| how many copies of one input are taken as different? | `generalisation_rank` |
| how far apart are classes, and inputs? | `separation`, `distances` |
| does the response forget where it began? | `echo_state_index`, `conditional_lyapunov` |
| how long is a forecast right? | `valid_prediction_time` |

The branching ratio is `neurojax.analysis.spikes.branching_ratio`.
"""

from .conditional_lyapunov import conditional_lyapunov
from .distances import Distances, distances
from .echo_state_index import EchoStateIndex, echo_state_index
from .information_processing import ProcessingCapacity, information_processing_capacity
from .memory_capacity import MemoryCapacity, memory_capacity
from .ranks import generalisation_rank, kernel_quality
from .separation import separation
from .valid_prediction import valid_prediction_time

__all__ = [
    "memory_capacity",
    "MemoryCapacity",
    "information_processing_capacity",
    "ProcessingCapacity",
    "kernel_quality",
    "generalisation_rank",
    "separation",
    "distances",
    "Distances",
    "echo_state_index",
    "EchoStateIndex",
    "conditional_lyapunov",
    "valid_prediction_time",
]
