"""What `fit` returns."""

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool

from neurojax.connectomes import Connectome
from neurojax.core import Dynamics
from neurojax.recordings import Recordings

from .baselines import left_out_animal_baselines, same_animal_baselines
from .estimator import Estimator
from .folds import Folds
from .hold_outs import Split
from .imputation import reconstruct
from .problem import Aligned
from .scores import Scores, average, table


@dataclasses.dataclass(frozen=True)
class Protocol:
    """The data of a fit, and who is hidden when it is scored.

    Arguments:
        data: as the fit sees it, clipped.
        truth: as it is scored.
        folds: neurons to hide, by animal.
        train: frames of the fit, (animal, time).
        test: frames that are scored.

    Example:
        >>> import jax, neurojax as nj
        >>> worms = nj.recordings.load("dag2023")[:2]
        >>> data = nj.fitting.align(worms, worms.labels)
        >>> folds = nj.fitting.neuron_folds(data.labelled, 5, key=jax.random.key(0))
        >>> train, test = data.split(0.6)
        >>> nj.fitting.Protocol(data, data, folds, train, test).test.sum(axis=1).tolist()
        [320, 320]
    """

    data: Aligned
    truth: Aligned
    folds: Folds
    train: Bool[np.ndarray, "animal time"]
    test: Bool[np.ndarray, "animal time"]

    def folds_of(self, split: Split) -> Folds:
        """The folds that score a split: neurons that it was never shown, or all in turn."""
        if split.shown.all():
            return self.folds.of(split.test)
        hidden = self.data.labelled[list(split.test)] & ~split.shown
        return Folds(np.array(split.test), hidden)


@dataclasses.dataclass(frozen=True)
class Job:
    """One circuit fitted on one split.

    Arguments:
        method: `"circuit"` or the name of a control.
        split: what it was fitted to and scored on.
        estimators: one per seed.
        losses: (step, seed).
        skipped: steps that were not taken because something was not finite, (seed,).
        held_out_loss: the objective on windows of the scored part, (seed,).
        scores: imputation scores, one per seed; empty for objectives of the user.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> split = nj.fitting.Split("later time", (0,), (0,), np.ones(4, bool))
        >>> nothing = np.zeros(0)
        >>> nj.fitting.Job("circuit", split, [], nothing, nothing, nothing, []).split.name
        'later time'
    """

    method: str
    split: Split
    estimators: list[Estimator]
    losses: np.ndarray
    skipped: np.ndarray
    held_out_loss: np.ndarray
    scores: list[Scores]


@dataclasses.dataclass(frozen=True)
class Fit:
    """A fitted circuit with its held-out scores.

    Arguments:
        jobs: all fits that were made: the circuit's on all animals first.
        rows: scores by protocol (`"later time"`, `"left-out animal"`), method and seed.
        protocol: data, folds and frames of the scores; `None` if nothing could be hidden.
        wiring: the circuit's connectome, if it has one.
        shuffled: the wirings of shuffled controls.
        seconds: how long the fit took, compilation and scoring included.
        best_seed: the seed with the least training loss at the end; its circuit is `circuit`.
        first_test: first scored frame of each animal.
        recordings: as they were given, not normalised.
        settings: what the fit was asked to do, by name of argument.

    Example:
        >>> import jax, numpy as np, neurojax as nj
        >>> wiring = nj.connectomes.cook2019().subset(
        ...     ["AVAL", "AVAR", "AVBL", "AVBR", "RIML", "RIMR"]
        ... )
        >>> worms = nj.recordings.load("dag2023")[:2]
        >>> circuit = nj.circuits.ConnectomeCircuit(wiring)
        >>> fit = nj.fit(circuit, worms, steps=2, progress=False, key=jax.random.key(0))
        >>> len(fit.jobs), fit.losses.shape, fit.skipped
        (1, (2, 1), 0)
    """

    jobs: list[Job]
    rows: dict[str, dict[str, list[Scores]]]
    protocol: Protocol | None
    wiring: Connectome | None
    shuffled: list[Connectome]
    seconds: float
    best_seed: int
    first_test: np.ndarray
    recordings: Recordings
    settings: dict[str, Any]

    @property
    def estimator(self) -> Estimator:
        """The fitted estimator: circuit, observation and observer."""
        return self.jobs[0].estimators[self.best_seed]

    @property
    def circuit(self) -> Dynamics:
        """The fitted circuit, without the observer; simulate it, or save it with `nj.save`."""
        return self.estimator.circuit

    @property
    def losses(self) -> np.ndarray:
        """Loss of every step of the circuit's fit on all animals, (step, seed)."""
        return self.jobs[0].losses

    @property
    def skipped(self) -> int:
        """Steps of any fit that were not taken because loss or gradient was not finite."""
        return int(sum(job.skipped.sum() for job in self.jobs))

    def scores(self, protocol: str | None = None, method: str = "circuit") -> Scores:
        """Scores of a method, averaged over seeds.

        Arguments:
            protocol: a key of `rows`; default the strictest there is.
            method: `"circuit"` or the name of a control.

        Raises:
            ValueError: if there are no such scores.
        """
        protocol = self._protocol(protocol)
        if method not in self.rows[protocol]:
            raise ValueError(f"no method {method!r}; there are {sorted(self.rows[protocol])}")
        return average(self.rows[protocol][method], method)

    def seed_spread(self, protocol: str | None = None) -> float:
        """Standard deviation over seeds of the circuit's mean correlation; `NaN` for one seed."""
        means = [s.mean for s in self.rows[self._protocol(protocol)]["circuit"]]
        return float(np.std(means, ddof=1)) if len(means) > 1 else float("nan")

    def interval(self, protocol: str | None = None, level: float = 0.95) -> tuple[float, float]:
        """Bootstrap interval over animals of the circuit's mean correlation."""
        return self.scores(protocol).interval(np.random.default_rng(0), level)

    def connectome_gain(self, protocol: str | None = None) -> np.ndarray | None:
        """Correlation above the mean of the shuffled controls, by animal; `None` without them."""
        rows = self.rows[self._protocol(protocol)]
        shuffles = [average(rows[m], m) for m in rows if m.startswith("shuffled")]
        if not shuffles:
            return None
        return self.scores(protocol).above(average(shuffles, "shuffled"))

    @cached_property
    def baselines(self) -> dict[str, list[Scores]]:
        """Simple predictions on the same folds, by protocol; empty without a connectome.

        The rows that the headline is compared with; `all_baselines` has more.
        """
        return self._baselines(thorough=False)

    @cached_property
    def all_baselines(self) -> dict[str, list[Scores]]:
        """All simple predictions on the same folds, by protocol; empty without a connectome."""
        return self._baselines(thorough=True)

    def _baselines(self, thorough: bool) -> dict[str, list[Scores]]:
        if self.wiring is None or self.protocol is None:
            return {}
        p = self.protocol
        arguments = (p.truth, p.folds, self.wiring, p.train, p.test, self.shuffled, thorough)
        makers = {
            "later time": same_animal_baselines,
            "left-out animal": left_out_animal_baselines,
        }
        return {name: make(*arguments) for name, make in makers.items() if name in self.rows}

    def table(self, protocol: str | None = None, baselines: bool = True) -> str:
        """Circuit, controls and baselines of a protocol as a plain-text table."""
        protocol = self._protocol(protocol)
        rows = [average(by_seed, name) for name, by_seed in self.rows[protocol].items()]
        if baselines:
            rows += self.baselines.get(protocol, [])
        return table(rows)

    def reconstruction(self, animal: int = 0) -> dict[str, Any]:
        """Hidden neurons of an animal, predicted on the scored frames.

        Returns:
            `names`, `time` (s from the first scored frame), `truth` and `predicted`
            (time, neuron): every labelled neuron as predicted in the first fold that hides it.
        """
        if self.protocol is None:
            raise ValueError("nothing was scored, so there is nothing to reconstruct")
        p = self.protocol
        folds = p.folds.of(animal)
        count = len(folds) // 2  # the first of two repeats hides every neuron once
        folds = Folds(folds.animal[:count], folds.hidden[:count])
        guess = reconstruct(self.estimator, p.data, folds, self.first_test)
        frames = np.flatnonzero(p.test[animal])
        neurons = np.flatnonzero(folds.hidden.any(axis=0))
        fold_of = folds.hidden[:, neurons].argmax(axis=0)
        seconds = np.cumsum(p.data.dt[animal][frames]) / 1e3
        truth = np.where(p.truth.mask[animal], p.truth.values[animal], np.nan)
        return {
            "names": [p.data.names[n] for n in neurons],
            "time": seconds - seconds[0],
            "truth": truth[np.ix_(frames, neurons)],
            "predicted": guess[fold_of[:, None], frames, neurons[:, None]].T,
        }

    def _protocol(self, protocol: str | None) -> str:
        if not self.rows:
            raise ValueError(
                "this fit has no imputation scores (a user's objective, or too few neurons to "
                "hide any); see fit.jobs[0].held_out_loss"
            )
        if protocol is None:
            return list(self.rows)[-1]
        if protocol not in self.rows:
            raise ValueError(f"no protocol {protocol!r}; there are {sorted(self.rows)}")
        return protocol

    def __repr__(self) -> str:
        scored = "".join(f", {p}: r {self.scores(p).mean:.3f}" for p in self.rows)
        return f"Fit({len(self.jobs)} fits of {len(self.losses)} steps{scored})"
