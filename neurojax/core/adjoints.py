"""How the fixed-step engine is differentiated."""

import equinox as eqx


class Plain(eqx.Module):
    """Reverse mode that keeps every intermediate value: fastest for tiny states.

    Example:
        >>> import neurojax as nj
        >>> nj.adjoints.Plain()
        Plain()
    """


class CheckpointSteps(eqx.Module):
    """Keep the state of every step, recompute inside it: half the time of `Plain` in networks.

    Example:
        >>> import neurojax as nj
        >>> nj.adjoints.CheckpointSteps()
        CheckpointSteps()
    """


class CheckpointBlocks(eqx.Module):
    r"""Keep the state every $\sqrt{T}$ steps: memory as $\sqrt{T}$, one more forward run.

    Example:
        >>> import neurojax as nj
        >>> nj.adjoints.CheckpointBlocks()
        CheckpointBlocks()
    """


class Forward(eqx.Module):
    """One forward pass per differentiated number, all at once: best for a handful of parameters.

    Not inside `shard_map`, unless with `check_vma=False`; not with a `jax.custom_vjp` in the model.

    Example:
        >>> import neurojax as nj
        >>> nj.adjoints.Forward()
        Forward()
    """


class Auto(eqx.Module):
    """Choose by the sizes that are known when a run is traced; what `adjoint="auto"` means.

    - at most `forward_limit` numbers are differentiated: `Forward`, unless the model has a
      function without forward mode (`jax.custom_vjp`);
    - a state of at most `tiny` bytes: `Plain`;
    - the states of all steps fit into `budget` bytes: `CheckpointSteps`;
    - otherwise `CheckpointBlocks`.

    Example:
        >>> import neurojax as nj
        >>> nj.adjoints.Auto().reverse(steps=10**6, state_bytes=10**6)
        CheckpointBlocks()
    """

    forward_limit: int = eqx.field(static=True, default=8)
    tiny: int = eqx.field(static=True, default=64)
    budget: int = eqx.field(static=True, default=1 << 25)

    def choose(
        self, numbers: int, steps: int, state_bytes: int
    ) -> "Plain | CheckpointSteps | CheckpointBlocks | Forward":
        """The mode for a run whose result is differentiated by this many numbers."""
        return Forward() if numbers <= self.forward_limit else self.reverse(steps, state_bytes)

    def reverse(self, steps: int, state_bytes: int) -> "Plain | CheckpointSteps | CheckpointBlocks":
        """The reverse mode for a run of this many steps and bytes of state."""
        if state_bytes * steps > self.budget:
            return CheckpointBlocks()
        return Plain() if state_bytes <= self.tiny else CheckpointSteps()


Adjoint = Plain | CheckpointSteps | CheckpointBlocks | Forward | Auto
