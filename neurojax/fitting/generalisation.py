"""How a trained circuit does in conditions that it was not trained on."""

from collections.abc import Mapping
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.keys import own_or_first
from neurojax.core.parameter_checks import check_count
from neurojax.tasks import Task, Trials

from .unroll import unroll


@final
class Generalisation(eqx.Module):
    """The scores of a circuit in the trained condition and in others.

    Arguments:
        trained: mean score of the trials of the training.
        others: mean score in each other condition, by name.
        errors: standard error of each mean over trials, by name (`"trained"` among them).

    Example:
        >>> found = Generalisation(0.9, {"long": 0.6}, {"trained": 0.01, "long": 0.02})
        >>> round(found.loss("long"), 2)
        0.3
    """

    trained: float
    others: dict[str, float]
    errors: dict[str, float]

    def loss(self, name: str) -> float:
        """By how much the score is below the trained one."""
        return self.trained - self.others[name]


def generalisation(
    circuit: Any,
    task: Task,
    others: Mapping[str, Any],
    *,
    trained: Any = None,
    count: int = 200,
    key: Any = None,
) -> Generalisation:
    r"""The mean score of a circuit on trials like those of its training, and on others.

    $$S_c = \langle \mathrm{score}(z, z^*) \rangle_{\mathrm{trials\ of\ } c}$$

    for the trained condition and each of the others, such as the same task with longer delays, more
    noise, or angles that were left out; all by the score of `task`.

    Arguments:
        circuit: trained, with the inputs and outputs of the task.
        task: gives the score, and the trials of the training where `trained` is left out.
        others: by name a task with other parameters, or `Trials`.
        trained: the trials of the training, where they were a fixed set, or another task.
        count: of trials that are drawn from each task.
        key: for the trials and for the noise of the circuit; default key 0.

    Returns:
        A `Generalisation`.

    Raises:
        TypeError: for a condition that is neither a task nor trials.
        ValueError: if there is no other condition, if one is called `"trained"`, or if trials do
            not fit the circuit.

    Example:
        >>> import jax, neurojax as nj
        >>> task = nj.tasks.PerceptualDecision()
        >>> circuit = nj.circuits.RateRNN(20, inputs=task.inputs, outputs=task.outputs)
        >>> others = {"noisy": nj.tasks.PerceptualDecision(noise=2.0)}
        >>> found = nj.fitting.generalisation(circuit, task, others, count=50)
        >>> sorted(found.errors)
        ['noisy', 'trained']
    """
    check_count("count", count)
    if not others or "trained" in others:
        raise ValueError(
            "others must name conditions beside the trained one, for example {'long': "
            f"PerceptualDecision(stimulus=2000.0)}}, got {sorted(others)}"
        )
    conditions = {"trained": task if trained is None else trained, **others}
    keys = jax.random.split(own_or_first(key), 2 * len(conditions))
    means, errors = {}, {}
    for i, (name, condition) in enumerate(conditions.items()):
        if not isinstance(condition, Task | Trials):
            raise TypeError(
                f"condition {name!r} must be a task of nj.tasks or Trials, got {condition!r}"
            )
        given = isinstance(condition, Trials)
        trials: Trials = condition if given else condition.trials(keys[2 * i], count)
        outputs = unroll(circuit, trials, key=keys[2 * i + 1]).outputs
        scores = np.asarray(jnp.ravel(task.score(trials, outputs)), float)
        means[name] = float(np.mean(scores))
        spread = np.std(scores, ddof=1) if len(scores) > 1 else np.nan
        errors[name] = float(spread / np.sqrt(len(scores)))
    return Generalisation(means.pop("trained"), means, errors)
