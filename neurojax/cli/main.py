"""The entry point `neurojax`: finds the command and runs it."""

import argparse
import difflib
import os
import sys
from collections.abc import Sequence

from neurojax._version import __version__
from neurojax.cli import doctor, fit

_COMMANDS = {"fit": fit, "doctor": doctor}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command of the command line.

    Arguments:
        argv: The words after `neurojax`; those of the process if left out.

    Returns:
        The exit status: 0 when all is well, 2 for words that make no command, 130 when stopped by
        Ctrl-C.

    Example:
        >>> from neurojax.cli.main import main
        >>> main(["doctor", "--json"])  # doctest: +ELLIPSIS
        {...}
        0
    """
    words = list(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    if not words:
        parser.print_help()
        return 2
    if not words[0].startswith("-") and words[0] not in _COMMANDS:
        parser.error(_unknown(words[0]))
    arguments = parser.parse_args(words)
    try:
        status = _COMMANDS[arguments.command].run(arguments)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (`| head`) has gone: nothing is left to say, not even at shutdown.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neurojax",
        description="Differentiable neural dynamics in JAX: simulate and fit neural circuits.",
    )
    parser.add_argument("--version", action="version", version=f"neurojax {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="command")
    for name, command in _COMMANDS.items():
        command.add_arguments(
            subparsers.add_parser(name, help=command.SUMMARY, description=command.SUMMARY)
        )
    return parser


def _unknown(word: str) -> str:
    near = difflib.get_close_matches(word, _COMMANDS, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return f"there is no command '{word}': {hint}(commands: {', '.join(_COMMANDS)})"


if __name__ == "__main__":
    sys.exit(main())
