"""What a fitted circuit has to beat: simple predictions of hidden neurons."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from neurojax.connectomes import Connectome
from neurojax.fitting._moments import Moments, best_ridge
from neurojax.fitting.folds import Folds
from neurojax.fitting.problem import Aligned
from neurojax.fitting.scores import Scores, imputation_scores

PENALTIES = (1.0, 10.0, 100.0, 1_000.0, 10_000.0)


def partners(connectome: Connectome, which: str) -> Bool[np.ndarray, "source target"]:
    """Which neurons may tell about which, by the wiring.

    Arguments:
        connectome: the graph; synapses of a neuron with itself do not count.
        which: `"pre+gap"`, the presynaptic neurons of the target and those it has gap junctions
            with; `"pre+post+gap"`, its postsynaptic neurons too; `"all"`, every other neuron.

    Returns:
        True where the source (row) is a partner of the target (column).

    Raises:
        ValueError: `which` is none of the three.

    Example:
        >>> from neurojax.connectomes import Connectome
        >>> chain = Connectome(["a", "b"], chemical=[[0, 3], [0, 0]], gap=[[0, 0], [0, 0]])
        >>> partners(chain, "pre+gap").tolist()
        [[False, True], [False, False]]
        >>> partners(chain, "pre+post+gap").tolist()
        [[False, True], [True, False]]
    """
    chemical, gap = np.asarray(connectome.chemical) > 0, np.asarray(connectome.gap) > 0
    others = ~np.eye(len(connectome), dtype=bool)
    if which == "pre+gap":
        return (chemical | gap) & others
    if which == "pre+post+gap":
        return (chemical | chemical.T | gap) & others
    if which == "all":
        return others
    raise ValueError(f"which must be 'pre+gap', 'pre+post+gap' or 'all', got {which!r}")


def train_mean(
    aligned: Aligned,
    folds: Folds,
    train: Bool[np.ndarray, "animal time"],
    test: Bool[np.ndarray, "animal time"],
    name: str = "train mean",
) -> Scores:
    """Predict each hidden neuron by its own mean over the training frames.

    Its correlation is 0 by convention; its R² and squared error say what drift alone costs.

    Arguments:
        aligned: normalised recordings.
        folds: who is hidden.
        train: frames to learn from.
        test: frames to score.
        name: of the row.

    Example:
        >>> import jax, neurojax as nj
        >>> worms = nj.fitting.Normalisation().apply(nj.recordings.load("dag2023")[:2], train=0.6)
        >>> wiring = nj.connectomes.cook2019().subset(
        ...     ["AVAL", "AVAR", "AVBL", "AVBR", "RIML", "RIMR"]
        ... )
        >>> data = nj.fitting.align(worms, wiring.names)
        >>> train, test = data.split(0.6)
        >>> folds = nj.fitting.neuron_folds(data.labelled, 2, key=jax.random.key(0))
        >>> nj.fitting.train_mean(data, folds, train, test).mean
        0.0
    """
    there = aligned.mask & train[:, :, None]
    total = np.where(there, aligned.values, 0.0).sum(axis=1, dtype=np.float64)
    mean = total / np.maximum(there.sum(axis=1), 1)
    predicted = np.broadcast_to(
        mean[folds.animal][:, None, :], (len(folds), *aligned.mask.shape[1:])
    )
    return imputation_scores(predicted, aligned, folds, test, name)


def ridge(
    aligned: Aligned,
    folds: Folds,
    partners: Bool[np.ndarray, "_source _target"],
    train: Bool[np.ndarray, "animal time"],
    test: Bool[np.ndarray, "animal time"],
    *,
    training: str = "same animal",
    refit: bool = True,
    clip: float | None = 4.0,
    penalties: Sequence[float] = PENALTIES,
    name: str = "ridge",
) -> Scores:
    """Predict each hidden neuron from its visible partners in the same frame, by ridge regression.

    For target y and partners x in the training frames, the weights w and the intercept c minimise
    sum (y - c - w x)^2 + penalty |w|^2. The penalty is the one with the least squared error on
    the last fifth of each animal's training frames, after a fit to the rest; then all training
    frames are used. A missing sample of a partner counts as 0, the mean of a normalised trace.

    In a fold the hidden partners are never read. With `refit` the regression is made anew for
    each fold, on the partners that are visible there. Without, there is one regression per target
    on all its partners, for all folds, in which a hidden partner counts as 0: that is like the
    circuit, which has one set of weights for all folds, and scores somewhat lower.

    Arguments:
        aligned: normalised recordings.
        folds: who is hidden.
        partners: true where the source (row) may tell about the target (column); see `partners`.
        train: frames to learn from, e.g. from `Aligned.split`.
        test: frames to score.
        training: whose training frames: those of the `"same animal"`, of `"all animals"` together
            (a neuron that is not labelled in one is missing there), or of all `"other animals"`
            (the animal is left out).
        refit: see above.
        clip: partners and training targets are limited to `[-clip, clip]`, test targets are not.
        penalties: to choose from.
        name: of the row.

    Returns:
        Scores. A target without any partner, or without training samples, is predicted by a
        constant and so has correlation 0.

    Raises:
        ValueError: shapes or choices are wrong.

    Example:
        >>> import jax
        >>> from neurojax.recordings import Recording, standardise
        >>> from neurojax.fitting.folds import neuron_folds
        >>> from neurojax.fitting.problem import align
        >>> rng = np.random.default_rng(0)
        >>> common = np.cumsum(rng.normal(size=(200, 1)), axis=0)
        >>> traces = common + rng.normal(size=(200, 6))
        >>> worm = Recording(np.arange(200.0), traces, labels=list("abcdef"))
        >>> worm = align(standardise(worm), list("abcdef"))
        >>> train, test = worm.split(0.6)
        >>> folds = neuron_folds(worm.labelled, 3, key=jax.random.key(0))
        >>> everyone = ~np.eye(6, dtype=bool)
        >>> ridge(worm, folds, everyone, train, test).mean > 0.8
        True
    """
    neurons = len(aligned.names)
    if partners.shape != (neurons, neurons):
        raise ValueError(
            f"partners must have shape (source, target) = {(neurons, neurons)}, one row and "
            f"column per neuron, got {partners.shape}"
        )
    if training not in ("same animal", "all animals", "other animals"):
        raise ValueError(
            f"training must be 'same animal', 'all animals' or 'other animals', got {training!r}"
        )
    if not len(penalties) or min(penalties) <= 0:
        raise ValueError(f"penalties must be positive numbers, got {tuple(penalties)}")
    labelled = aligned.labelled
    values = (aligned if clip is None else aligned.clipped(clip)).values.astype(np.float64)
    predicted = np.zeros((len(folds), *values.shape[1:]))
    moments = Moments(values, aligned.mask, train)
    choices = np.array(penalties, float)
    for (animals, context), hidden in _groups(aligned, folds, partners, moments, training, refit):
        targets = np.flatnonzero(np.any([there for _, there in hidden], axis=0))
        weights, intercepts = best_ridge(moments, animals, context, targets, choices)
        for fold, there in hidden:
            animal = folds.animal[fold]
            # What is hidden in this fold counts as 0 even if the regression knows it.
            used = np.flatnonzero(context & labelled[animal] & ~folds.hidden[fold])
            some = there[targets]
            seen = values[animal][np.ix_(test[animal], used)]
            guess = seen @ weights[np.ix_(used, some)] + intercepts[some]
            predicted[fold][np.ix_(test[animal], targets[some])] = guess
    return imputation_scores(predicted, aligned, folds, test, name)


def _groups(aligned, folds, partners, moments, training, refit):
    """The hidden neurons by the regression that serves them.

    A list of ((animals to learn from, neurons to learn about), [(fold, hidden neurons)]). A
    regression for all folds has its target among the neurons: then those of all targets, each
    from all others, are nearly one.
    """
    labelled = aligned.labelled
    everyone = np.arange(len(labelled))
    groups = {}
    for fold, target in zip(*np.nonzero(folds.hidden), strict=True):
        animal = folds.animal[fold]
        wanted = {
            "same animal": everyone == animal,
            "all animals": everyone >= 0,
            "other animals": everyone != animal,
        }[training]
        animals = tuple(np.flatnonzero(wanted & labelled[:, target]).tolist())
        context = partners[:, target].copy()
        if refit:
            context &= labelled[animal] & ~folds.hidden[fold]
        else:
            context &= labelled[list(animals)].any(axis=0)
            context[target] = True
        frames = tuple(moments.frames(a, target) for a in animals)
        case = (animals, frames, context.tobytes())
        by_fold = groups.setdefault(case, ((animals, context), {}))[1]
        by_fold.setdefault(fold, np.zeros(len(context), bool))[target] = True
    return [(learn, list(by_fold.items())) for learn, by_fold in groups.values()]


def same_animal_baselines(
    aligned: Aligned,
    folds: Folds,
    connectome: Connectome,
    train: Bool[np.ndarray, "animal time"],
    test: Bool[np.ndarray, "animal time"],
    shuffled: Sequence[Connectome] = (),
    thorough: bool = True,
) -> list[Scores]:
    """The rows to put beside a circuit that is scored on later frames of the same animals.

    Regressions on one animal are refitted for each fold; pooled ones are made once for all folds
    and, in the last row, refitted as well, which is the strongest (see `ridge`).

    Arguments:
        aligned: normalised recordings; its neurons are those of `connectome`.
        folds: who is hidden.
        connectome: the wiring.
        train: frames to learn from.
        test: frames to score.
        shuffled: rewired connectomes, as controls.
        thorough: every row; otherwise only those that the headline of a fit is compared with,
            the strongest included.

    Raises:
        ValueError: the connectome has other neurons.

    Example:
        >>> import jax, neurojax as nj
        >>> worms = nj.fitting.Normalisation().apply(nj.recordings.load("dag2023")[:2], train=0.6)
        >>> wiring = nj.connectomes.cook2019().subset(
        ...     ["AVAL", "AVAR", "AVBL", "AVBR", "RIML", "RIMR"]
        ... )
        >>> data = nj.fitting.align(worms, wiring.names)
        >>> train, test = data.split(0.6)
        >>> folds = nj.fitting.neuron_folds(data.labelled, 2, key=jax.random.key(0))
        >>> rows = nj.fitting.same_animal_baselines(data, folds, wiring, train, test)
        >>> rows[0].name
        'train mean'
    """
    _same_names(aligned, connectome, *shuffled)
    pre = partners(connectome, "pre+gap")
    both = partners(connectome, "pre+post+gap")
    everyone = partners(connectome, "all")
    strict = partners(connectome.without_homologues(), "pre+gap")

    def row(name, mask, **options):
        return ridge(aligned, folds, mask, train, test, name=name, **options)

    rows = [
        train_mean(aligned, folds, train, test),
        row("ridge, pre+gap partners", pre),
        *(
            row(f"ridge, pre+gap, shuffled {k}", partners(graph, "pre+gap"))
            for k, graph in enumerate(shuffled, 1)
        ),
        row("ridge, pre+post+gap partners", both),
        row("ridge, all neurons", everyone),
    ]
    if not thorough:
        return rows
    pooled = {"training": "all animals", "refit": False}
    return [
        *rows,
        row("ridge, pre+gap, no homologue", strict),
        row("pooled ridge, pre+post+gap", both, **pooled),
        row("pooled ridge, all neurons", everyone, **pooled),
        row("pooled ridge, all, refitted per fold", everyone, training="all animals"),
    ]


def left_out_animal_baselines(
    aligned: Aligned,
    folds: Folds,
    connectome: Connectome,
    train: Bool[np.ndarray, "animal time"],
    test: Bool[np.ndarray, "animal time"],
    shuffled: Sequence[Connectome] = (),
    thorough: bool = True,
) -> list[Scores]:
    """The rows to put beside a circuit whose weights never saw the animal that it is scored on.

    The last two rows are refitted for each fold, on what is visible there.

    Arguments:
        aligned: normalised recordings; its neurons are those of `connectome`.
        folds: who is hidden.
        connectome: the wiring.
        train: frames to learn from, of the other animals.
        test: frames to score.
        shuffled: rewired connectomes, as controls.
        thorough: every row; otherwise only those that the headline of a fit is compared with,
            the strongest included.

    Raises:
        ValueError: the connectome has other neurons.

    Example:
        >>> import jax, neurojax as nj
        >>> worms = nj.fitting.Normalisation().apply(nj.recordings.load("dag2023")[:2], train=0.6)
        >>> wiring = nj.connectomes.cook2019().subset(
        ...     ["AVAL", "AVAR", "AVBL", "AVBR", "RIML", "RIMR"]
        ... )
        >>> data = nj.fitting.align(worms, wiring.names)
        >>> train, test = data.split(0.6)
        >>> folds = nj.fitting.neuron_folds(data.labelled, 2, key=jax.random.key(0))
        >>> rows = nj.fitting.left_out_animal_baselines(data, folds, wiring, train, test)
        >>> all(row.animals == data.animals for row in rows)
        True
    """
    _same_names(aligned, connectome, *shuffled)
    pre = partners(connectome, "pre+gap")
    both = partners(connectome, "pre+post+gap")
    everyone = partners(connectome, "all")

    def row(name, mask, refit=False):
        options = {"training": "other animals", "refit": refit, "name": name}
        return ridge(aligned, folds, mask, train, test, **options)

    return [
        *([row("pooled ridge, pre+gap", pre)] if thorough else []),
        row("pooled ridge, pre+post+gap", both),
        *(
            row(f"pooled ridge, pre+post+gap, shuffled {k}", partners(graph, "pre+post+gap"))
            for k, graph in enumerate(shuffled, 1)
        ),
        row("pooled ridge, all neurons", everyone),
        row("pooled ridge, pre+post+gap, refitted per fold", both, refit=True),
        row("pooled ridge, all, refitted per fold", everyone, refit=True),
    ]


def _same_names(aligned, *connectomes):
    for graph in connectomes:
        if tuple(graph.names) != aligned.names:
            raise ValueError(
                f"connectome has {len(graph.names)} neurons that are not, in this order, the "
                f"{len(aligned.names)} of aligned; use align(recordings, connectome.names)"
            )
