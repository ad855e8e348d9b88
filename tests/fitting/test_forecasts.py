import numpy as np
import pytest

from neurojax.connectomes import cook2019
from neurojax.fitting.baselines import PENALTIES
from neurojax.fitting.forecasts import forecast_baselines, forecast_errors, forecast_table
from neurojax.fitting.problem import align
from neurojax.recordings import Recording, detrend, load, standardise


def animals(missing=0.0):
    rng = np.random.default_rng(0)
    made = []
    for k, frames in enumerate((60, 50)):
        values = np.cumsum(rng.normal(size=(frames, 4)), axis=0)
        values[rng.random(values.shape) < missing] = np.nan
        labels = ["a", "b", "c", "d"][k:]
        made.append(Recording(np.arange(frames) * 0.5, values[:, k:], labels=labels, name=str(k)))
    both = align(made, ["a", "b", "c", "d"])
    return both, *both.split(0.6)


def test_errors_are_counted_as_said():
    both, _, test = animals(0.1)
    horizons = (1, 3, 7)
    predicted = np.random.default_rng(1).normal(size=(2, 60, 3, 4))
    errors = forecast_errors(predicted, both, test, horizons, "random")
    for a in range(2):
        first, last = np.flatnonzero(test[a])[[0, -1]]
        for k, h in enumerate(horizons):
            by_neuron = []
            for i in np.flatnonzero(both.labelled[a]):
                by_neuron.append(
                    np.mean(
                        [
                            (predicted[a, s, k, i] - both.values[a, s + h, i]) ** 2
                            for s in range(first - 1, last - h + 1)
                            if both.mask[a, s + h, i]
                        ]
                    )
                )
            assert errors.mse[a, k] == pytest.approx(np.mean(by_neuron), rel=1e-12)
    assert errors.mean == pytest.approx(errors.mse.mean(axis=0))


def test_persistence_and_autoregression_agree_with_numpy():
    both, train, test = animals()
    persistence, iterated, direct, _ = forecast_baselines(both, train, test, (4, 2))
    for a in range(2):
        n, cut = int(both.lengths[a]), int(train[a].sum())
        found = np.zeros((3, 2, 4))
        for i in np.flatnonzero(both.labelled[a]):
            x = both.values[a, :n, i].astype(float)
            slope, intercept = np.polyfit(x[: cut - 1], x[1:cut], 1)
            for k, h in enumerate((4, 2)):
                start, truth = x[cut - 1 : n - h], x[cut - 1 + h :]
                guess = start
                for _ in range(h):
                    guess = slope * guess + intercept
                own = np.polyval(np.polyfit(x[: cut - h], x[h:cut], 1), start)
                found[:, k, i] = [((g - truth) ** 2).mean() for g in (start, guess, own)]
        found = found[:, :, both.labelled[a]].mean(axis=2)
        for errors, expected in zip((persistence, iterated, direct), found, strict=True):
            np.testing.assert_allclose(errors.mse[a], expected, rtol=1e-9)


def test_vector_autoregression_agrees_with_sklearn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    both, train, test = animals()
    errors = forecast_baselines(both, train, test, (1, 3))[-1]
    assert errors.name == "ridge VAR"
    for a in range(2):
        n, cut = int(both.lengths[a]), int(train[a].sum())
        x = both.values[a, :n][:, both.labelled[a]].astype(float)
        source, change = x[: cut - 1], np.diff(x[:cut], axis=0)
        head = round(0.8 * (cut - 1))
        models = []
        for i in range(x.shape[1]):

            def error(penalty, i=i, source=source, change=change, head=head):
                model = linear_model.Ridge(alpha=penalty).fit(source[:head], change[:head, i])
                return ((model.predict(source[head:]) - change[head:, i]) ** 2).mean()

            penalty = min(PENALTIES, key=error)
            models.append(linear_model.Ridge(alpha=penalty).fit(source, change[:, i]))
        for k, h in enumerate((1, 3)):
            guess = x[cut - 1 : n - h]
            for _ in range(h):
                guess = guess + np.stack([m.predict(guess) for m in models], axis=1)
            expected = ((guess - x[cut - 1 + h :]) ** 2).mean()
            assert errors.mse[a, k] == pytest.approx(expected, rel=1e-9)


def test_missing_samples_are_not_scored():
    both, train, test = animals(0.2)
    for row in forecast_baselines(both, train, test, (1, 5)):
        assert np.isfinite(row.mse).all()


def test_a_horizon_beyond_the_recording_has_no_score():
    both, train, test = animals()
    row = forecast_baselines(both, train, test, (1, 22, 100))[0]
    assert np.isfinite(row.mse[:, 0]).all() and np.isnan(row.mse[:, 2]).all()
    assert np.isfinite(row.mse[0, 1]) and np.isnan(row.mse[1, 1])  # 24 and 20 test frames
    assert row.mean[1] == row.mse[0, 1] and np.isnan(row.mean[2])


def test_table_shows_what_was_computed():
    both, train, test = animals()
    rows = forecast_baselines(both, train, test, (1, 5))
    lines = forecast_table(rows).splitlines()
    assert lines[0].split() == ["frames", "ahead", "1", "5"]
    assert lines[1].split() == ["persistence", *(f"{m:.3f}" for m in rows[0].mean)]
    assert str(rows[0]).splitlines()[1].split() == lines[1].split()


def test_bad_input_is_refused():
    both, train, test = animals()
    rows = forecast_baselines(both, train, test, (1, 5))
    cases = [
        (lambda: forecast_baselines(both, train, test, (0, 1)), "horizons must be"),
        (lambda: forecast_baselines(both, train, test, ()), "horizons must be"),
        (lambda: forecast_errors(np.zeros((2, 60, 1, 4)), both, test, (1, 2)), "= .2, 60, 2, 4.,"),
        (
            lambda: forecast_errors(np.full((2, 60, 1, 4), np.nan), both, test, (1,)),
            "not finite in some test frames at horizon 1",
        ),
        (lambda: forecast_table([]), "no forecast errors"),
        (
            lambda: forecast_table([rows[0], *forecast_baselines(both, train, test, (1,))]),
            "other horizons",
        ),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.slow
def test_the_rows_of_the_embedded_worms():
    """Rows that another implementation found on the same data, at 1, 2, 5, 10, 20 frames.

    Which start frames it took is not known exactly; within 0.02.
    """
    recordings = load("dag2023").map(detrend).map(standardise)
    both = align(recordings, cook2019().subset(recordings.labels).names)
    rows = forecast_baselines(both.clipped(4.0), *both.split(0.6))
    found = {row.name: row.mean for row in rows}
    assert found["persistence"] == pytest.approx([0.450, 0.678, 1.095, 1.664, 2.374], abs=0.02)
    assert found["AR(1) iterated"] == pytest.approx([0.491, 0.759, 1.218, 1.585, 1.864], abs=0.02)
    assert found["AR(1) per horizon"] == pytest.approx(
        [0.491, 0.694, 1.035, 1.389, 1.724], abs=0.02
    )
