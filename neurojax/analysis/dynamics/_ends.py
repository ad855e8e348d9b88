"""Where all starts end: which of them is moved by which method, and when."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from ._bank import Bank, in_pieces
from ._chord import chord
from ._krylov import newton_krylov
from ._search import GAIN, PATIENCE, search

_PIECE = 64
_LANES = 16  # starts in one product, and with Jacobians before it is looked at what is known
_UNBIASED = 64  # starts that are not drawn to known points at once, so that enough become known
_NEAR = 0.003  # of the first |F|: from here on it is no longer open where a start ends


class Settings(NamedTuple):
    """What a search is asked for; see `fixed_points`."""

    size: float
    tolerance: float
    max_steps: int
    batch: int | None


def ends(bank: Bank, rows: np.ndarray, settings: Settings):
    """The end of each start, |F| there, and the |F| that counts as zero.

    In a small circuit by Levenberg-Marquardt steps. In a large one these are dear: as soon as
    points are known, starts that come near one go on by the Jacobian of the nearest point, and
    those that crawl by Newton's method without Jacobians. After the first ones, starts try the
    Jacobian of the nearest point at once.
    """
    hunt = _Hunt(bank, rows, settings)
    every = np.arange(len(rows))
    if not bank.most:
        hunt.by_jacobians(every)
        return hunt.x, hunt.speeds, hunt.goals
    first, piece = max(_UNBIASED, settings.batch or 0), settings.batch or _LANES
    for begin in range(0, min(first, len(rows)), piece):
        hunt.finish(every[begin : min(begin + piece, first)])
    hunt.finish(hunt.by_chord(every[first:]))
    return hunt.x, hunt.speeds, hunt.goals


class _Hunt:
    """The places of all starts on the host, and the methods that move some of them.

    Each method gives the starts that it leaves without having arrived.
    """

    def __init__(self, bank: Bank, rows: np.ndarray, settings: Settings):
        self.bank, self.settings, self.x = bank, settings, rows.copy()
        self.speeds = np.full(len(rows), np.inf, rows.dtype)
        self.goals, self.firsts = np.zeros_like(self.speeds), np.zeros_like(self.speeds)
        self.idle, self.steps = np.zeros(len(rows), int), np.zeros(len(rows), int)
        self.stuck = np.zeros(len(rows), bool)

    def finish(self, which) -> None:
        """By all methods, to the end."""
        if len(self.bank):
            which = self.by_jacobians(which, patience=1, near=_NEAR)
            near = self.speeds[which] <= _NEAR * self.firsts[which]
            which = np.concatenate([which[~near], self.by_chord(which[near])])
            which = self.by_krylov(which)
        self.by_jacobians(which)

    def by_jacobians(self, which, patience: int = PATIENCE, near: float = 0.0):
        """Levenberg-Marquardt steps, until |F| is the part `near` of the first, or idle."""
        if len(which) == 0:
            return which
        size, tolerance, max_steps, batch = self.settings
        number = lambda value: jnp.asarray(value, self.x.dtype)
        limits = (jnp.asarray(max_steps), jnp.asarray(patience), number(near))
        numbers = (number(size), number(tolerance), *limits)

        def run(x, firsts, idle, steps, count):
            return search(self.bank.field, x, firsts, idle, steps, *numbers, count, batch)

        given = (self.x, self.firsts, self.idle, self.steps)
        piece = batch or (_LANES if self.bank.most else _PIECE)
        places = (self.x, self.speeds, self.goals, self.firsts, self.idle, self.steps)
        found = in_pieces(run, piece, *(values[which] for values in given))
        for values, new in zip(places, found, strict=True):
            values[which] = new
        self._learn(which)
        return self._left(which)

    def by_chord(self, which):
        """With the Jacobian of the nearest point as it is; a start that fails does not move."""
        for near, goal, part in self._by_nearest(which):
            inverse = self.bank.inverses[near]
            run = lambda x, count, inverse=inverse, goal=goal: chord(
                self.bank.field, inverse, x, jnp.asarray(goal, x.dtype), jnp.arange(len(x)) < count
            )
            found, speeds = in_pieces(run, self.settings.batch or _PIECE, self.x[part])
            there = speeds <= goal
            arrived = part[there]
            self.x[arrived], self.speeds[arrived] = found[there], speeds[there]
            self.goals[arrived] = goal
        self._learn(which)
        return self._left(which)

    def by_krylov(self, which):
        """Newton's method with the inverse Jacobian of the nearest point as preconditioner.

        For starts that crawl: they arrive more often than by more of the same.
        """
        left, moving = [], which
        self.idle[which] = 0
        while len(moving):
            for near, goal, part in self._by_nearest(moving):
                inverse = self.bank.inverses[near]
                run = lambda x, count, inverse=inverse: newton_krylov(
                    self.bank.field, inverse, x, jnp.arange(len(x)) < count
                )
                self._move(part, *in_pieces(run, self.settings.batch or _LANES, self.x[part]))
                self.goals[part] = goal
            self._learn(moving)
            moving = self._left(moving)
            stop = self._stopped(moving, PATIENCE)
            left.append(moving[stop])
            moving = moving[~stop]
        left = np.concatenate(left) if left else which
        # one step with a Jacobian shows whether patience was lost too early
        self.idle[left] = np.minimum(self.idle[left], PATIENCE - 1)
        return left

    def _move(self, which, x, before, after) -> None:
        """Take down a step of some of the starts."""
        self.x[which], self.speeds[which] = x, after
        self.idle[which] = np.where(after < GAIN * before, 0, self.idle[which] + 1)
        self.stuck[which] = ~(after < before)
        self.steps[which] += 1

    def _stopped(self, which, patience: int):
        many = self.steps[which] >= self.settings.max_steps
        return self.stuck[which] | (self.idle[which] >= patience) | many

    def _by_nearest(self, which):
        """The starts by their nearest known point: its number, the goal there, and they."""
        if len(which) == 0 or len(self.bank) == 0:
            return
        near = self.bank.nearest(self.x[which])
        for k in np.unique(near):
            goal = self.settings.tolerance * self.settings.size * self.bank.sizes[k]
            yield k, goal, which[near == k]

    def _left(self, which):
        """Those that have not arrived."""
        return which[~(self.speeds[which] <= self.goals[which])]

    def _learn(self, which) -> None:
        self.bank.learn(self.x[which[self.speeds[which] <= self.goals[which]]])
