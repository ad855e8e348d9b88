"""What the scores say, in words: computed from the numbers, never assumed."""

from typing import Any

import numpy as np


def gain_over(by_animal: np.ndarray, interval: tuple[float, float]) -> dict[str, Any]:
    """How much higher the circuit scored, animal by animal."""
    there = by_animal[np.isfinite(by_animal)]
    return {
        "mean": there.mean() if there.size else float("nan"),
        "interval": interval,
        "by_animal": by_animal,
        "positive": int((there > 0).sum()),
        "animals": len(there),
    }


def verdict(found: dict[str, Any]) -> list[str]:
    """One paragraph per protocol: did the wiring help, and what do simple regressions reach?

    Arguments:
        found: what `summary` collects.
    """
    if not found["protocols"]:
        return ["This fit has no held-out reconstruction scores, so nothing can be said about "
                "whether the connectome helped."]  # fmt: skip
    return [
        f"{_heading(protocol)}: {_gain(part)} {_regressions(part)}".strip()
        for protocol, part in found["protocols"].items()
    ]


def answer(found: dict[str, Any]) -> str:
    """The shortest answer to "does the connectome help?", by the strictest protocol."""
    if not found["protocols"]:
        return "This fit was not scored by reconstruction."
    gain = list(found["protocols"].values())[-1]["gain"]
    if gain is None:
        return "Whether the connectome helps was not tested."
    return {
        "yes": "The connectome helps, compared with shuffled wiring.",
        "leaning": "The connectome seems to help, but not in every animal.",
        "few": "The connectome helped in these two animals.",
        "one": "The connectome helped in this one animal.",
        "no": "There is no sign that the connectome helps.",
        "worse": "The real connectome does worse than shuffled ones.",
    }[judged(gain)]


def judged(gain: dict[str, Any]) -> str:
    """`"yes"`, `"leaning"`, `"few"` or `"one"` (yes, in so few animals), `"no"`, `"worse"`."""
    positive, animals, mean = gain["positive"], gain["animals"], gain["mean"] or 0.0
    if animals == 1:
        return "one" if mean > 0.01 else "no" if mean > -0.01 else "worse"
    low, high = gain["interval"]
    if high is not None and high < 0 and positive == 0:
        return "worse"
    if low is None or low <= 0 or mean <= 0:
        return "no"
    if positive < animals:
        return "leaning"
    return "yes" if animals > 2 else "few"


def _heading(protocol: str) -> str:
    return {
        "later time": "Later time of the same animals",
        "left-out animal": "Animals that the fit never saw",
        "held-out neurons": "Neurons that the fit never saw",
    }.get(protocol, protocol)


def _gain(part: dict[str, Any]) -> str:
    circuit, gain = part["rows"][0], part["gain"]
    if gain is None:
        return (
            f"the circuit reconstructs hidden neurons with r = {circuit['r']:.3f}. It was not "
            "compared with shuffled connectomes."
        )
    shuffled = next(row for row in part["rows"] if row["method"].startswith("shuffled"))
    words = {
        "yes": "the connectome helps",
        "leaning": "the connectome seems to help, but not in every animal",
        "few": "the connectome helped in both animals, which is little to go by",
        "one": "the connectome helped in this one animal, which says nothing about others",
        "no": "no clear sign that the connectome helps",
        "worse": "the real connectome does worse than shuffled ones",
    }[judged(gain)]
    low, high = gain["interval"]
    spread = "" if low is None else f"; 95 % of bootstraps over animals {low:+.3f} to {high:+.3f}"
    return (
        f"{words}. Hidden neurons are reconstructed with r = {circuit['r']:.3f}, against "
        f"{shuffled['r']:.3f} on shuffled wiring ({gain['mean']:+.3f}, higher in "
        f"{gain['positive']} of {gain['animals']}{spread})."
    )


def _regressions(part: dict[str, Any]) -> str:
    """The strongest ridge regressions, on connected partners and on all neurons."""
    circuit, rows = part["rows"][0], [r for r in part["rows"] if r["kind"] == "baseline"]
    usable = [
        row
        for row in rows
        if row["r"] is not None
        and not any(mark in row["method"] for mark in ("shuffled", "no homologue"))
    ]
    words = []
    for what, mark in (("the same wiring partners", "+gap"), ("all other neurons", " all")):
        own = [r for r in usable if mark in r["method"]]
        if not own:
            continue
        best = max(own, key=lambda r: r["r"])
        wins = sum(
            a is not None and b is not None and a > b
            for a, b in zip(circuit["by_animal"], best["by_animal"], strict=True)
        )
        place = "above" if circuit["r"] > best["r"] else "not above"
        words.append(
            f"ridge regression on {what} reaches {best['r']:.3f}, and the circuit is {place} it "
            f"(higher in {wins} of {len(best['by_animal'])})"
        )
    if not words:
        return ""
    text = "; ".join(words)
    return text[0].upper() + text[1:] + "."
