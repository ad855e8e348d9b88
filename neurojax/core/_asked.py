"""A dictionary that remembers which names a model asked for."""


class Asked(dict):
    """Inputs as the model sees them while it is traced once; `asked` collects the names it read."""

    def __init__(self, inputs: dict):
        super().__init__({k: Asked(v) if isinstance(v, dict) else v for k, v in inputs.items()})
        self.asked: set[str] = set()

    def __getitem__(self, name):
        self.asked.add(name)
        return super().__getitem__(name)

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
