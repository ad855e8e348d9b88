"""The presynaptic terminals of a projection, whose senders may be parts of several populations."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Clock

from .projection import Group


class Terminals(eqx.Module):
    """What a projection with release needs to know how much each spike sends.

    Arguments:
        name: of the projection.
        source: populations and parts of them, see `Projection`.
        release: its dynamics.
    """

    name: str = eqx.field(static=True)
    source: tuple[Group, ...] = eqx.field(static=True)
    release: Any

    def released(self, state, fired: dict[str, Array], clock: Clock):
        """An amplitude for each neuron of each population, and the new state.

        Arguments:
            state: of the release.
            fired: one boolean per neuron, by population.
            clock: of the network.
        """
        chosen = [
            slice(None) if part is None else part.of(len(fired[name])) for name, part in self.source
        ]
        picked = [fired[name][where] for (name, _), where in zip(self.source, chosen, strict=True)]
        sent, state = self.release.release(state, jnp.concatenate(picked), clock.child(self.name))
        # back to the neurons of each population
        amplitudes = {name: jnp.zeros(len(own), sent.dtype) for name, own in fired.items()}
        at = 0
        for (name, _), where, own in zip(self.source, chosen, picked, strict=True):
            amplitudes[name] = amplitudes[name].at[where].set(sent[at : at + len(own)])
            at += len(own)
        return amplitudes, state
