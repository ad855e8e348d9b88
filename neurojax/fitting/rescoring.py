"""Fitted estimators scored again, on other folds of hidden neurons."""

import jax

from .folds import Folds, homologue_indices, neuron_folds
from .imputation import reconstruct
from .result import Fit
from .scores import Scores, average, imputation_scores, join


def rescored(fit: Fit, folds: Folds | None = None) -> dict[str, dict[str, Scores]]:
    """Score everything that was fitted on other folds; nothing is fitted again.

    Arguments:
        fit: with a protocol.
        folds: who is hidden; by default folds in which a neuron and its left-right partner are
            always hidden together, so that neither can tell about the other.

    Returns:
        Scores by protocol and method, averaged over seeds.

    Raises:
        ValueError: the fit has no scores, or an animal has too few neurons for the folds.

    Example:
        >>> import jax, numpy as np, neurojax as nj
        >>> wiring = nj.connectomes.cook2019().subset(
        ...     ["AVAL", "AVAR", "AVBL", "AVBR", "RIML", "RIMR"]
        ... )
        >>> worms = nj.recordings.load("dag2023")[:2]
        >>> circuit = nj.circuits.ConnectomeCircuit(wiring)
        >>> fit = nj.fit(circuit, worms, steps=2, progress=False, key=jax.random.key(0))
        >>> two = nj.fitting.neuron_folds(fit.protocol.data.labelled, 2, key=jax.random.key(1))
        >>> list(nj.fitting.rescored(fit, two))
        ['later time']
    """
    if fit.protocol is None or not fit.rows:
        raise ValueError("this fit has no imputation scores, so there is nothing to score again")
    p = fit.protocol
    if folds is None:
        pairs = homologue_indices(p.data.names)
        folds = neuron_folds(
            p.data.labelled, 5, key=jax.random.key(11), repeats=2, homologues=pairs
        )
    found: dict[str, dict[str, list[Scores]]] = {}
    first = fit.jobs[0].split.name
    for job in fit.jobs:
        here = folds.of(job.split.test)
        seeds = []
        for estimator in job.estimators:
            guess = reconstruct(estimator, p.data, here, fit.first_test, ~job.split.shown)
            seeds.append(imputation_scores(guess, p.truth, here, p.test, job.method))
        protocol = first if job.split.name == first else "left-out animal"
        found.setdefault(protocol, {}).setdefault(job.method, []).append(average(seeds, job.method))
    return {
        protocol: {method: join(parts, method) for method, parts in methods.items()}
        for protocol, methods in found.items()
    }
