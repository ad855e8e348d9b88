"""What the activity of a model or a recording is like, in numbers."""

from . import spikes

__all__ = ["spikes"]
