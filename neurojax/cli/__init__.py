"""The command line: `neurojax <command>`, one module per command.

A command is a module with three names: `SUMMARY` (one line for the help), `add_arguments(parser)`
and `run(arguments) -> int`, which returns the exit status. `neurojax.cli.main` lists them.
"""

__all__ = []
