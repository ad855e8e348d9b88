"""A dictionary that remembers which names a model asked for."""

from .errors import UnknownNameError


class Asked(dict):
    """Inputs as the model sees them while it is traced once; `asked` collects the names it read."""

    def __init__(self, inputs: dict):
        watched = lambda v: Asked(v) if type(v) is dict else v
        super().__init__({name: watched(v) for name, v in inputs.items()})
        self.asked: set[str] = set()

    def __getitem__(self, name):
        self.asked.add(name)
        return super().__getitem__(name)

    def __missing__(self, name):
        known = ", ".join(map(repr, super().keys())) or "none"
        raise UnknownNameError(f"the model needs the input {name!r}; given are: {known}")

    def __or__(self, other):
        # what a coupling adds is no input of the user: remember only who reads
        merged = Asked({**dict(super().items()), **dict(other)})
        merged.asked = self.asked
        return merged

    def get(self, name, default=None):
        self.asked.add(name)
        return super().get(name, default)

    def __contains__(self, name):
        self.asked.add(name)
        return super().__contains__(name)

    def __iter__(self):
        self.asked.update(super().keys())
        return super().__iter__()

    def keys(self):
        self.asked.update(super().keys())
        return super().keys()

    def items(self):
        self.asked.update(super().keys())
        return super().items()

    def values(self):
        self.asked.update(super().keys())
        return super().values()

    def unread(self, prefix: str = "") -> list[tuple[str, list[str]]]:
        """Names that nobody read, each with the names that were asked for beside it."""
        found = []
        for name, value in super().items():
            if name not in self.asked:
                found.append((prefix + name, sorted(self.asked)))
            elif isinstance(value, Asked):
                found += value.unread(f"{prefix}{name}.")
        return found
