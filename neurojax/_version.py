"""The version of the package: this file is the only place that holds it."""

__version__ = "0.14.0"
