"""How recordings are made comparable before a fit, from their training part alone."""

import dataclasses
from collections.abc import Iterable

from neurojax.recordings import Recording, Recordings, detrend, standardise


@dataclasses.dataclass(frozen=True)
class Normalisation:
    """Causal detrending, then mean 0 and standard deviation 1 of the training part.

    The running mean looks back only, and the mean and standard deviation are those of the first
    `train` fraction of frames, so nothing of the test part reaches the training part.

    Arguments:
        window: time constant of the running mean that is subtracted, s.
        clip: inputs and training targets are limited to this many standard deviations; test
            targets are not.

    Example:
        >>> import neurojax as nj
        >>> worm = nj.recordings.load("dag2023")[0]
        >>> trace = nj.fitting.Normalisation().apply([worm], train=0.6)[0].values[:480]
        >>> bool(abs(trace.mean(axis=0)).max() < 1e-5)
        True
    """

    window: float = 60.0
    clip: float = 4.0

    def apply(self, recordings: Iterable[Recording], train: float) -> Recordings:
        """The recordings, normalised by their first `train` fraction."""
        return Recordings([standardise(detrend(r, self.window), train) for r in recordings])
