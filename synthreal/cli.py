"""The command line: a dispatcher that imports nothing heavy until a command needs it."""

import sys
from collections.abc import Sequence

HELP = """\
usage: synthreal <command> [options]

Train vision models on a little real data and any amount of synthetic data.

  fit, validate, test, predict   run an experiment: --config experiments/<method>/<name>.yaml
  preview                        draw what a config would train on, before training
  study run|report|sweep         a grid of runs: run what is missing, report, or print a W&B sweep
  version                        print the version

`synthreal <command> --help` lists the options of a command.
Any setting of a config can be overridden: --trainer.max_steps=100 --model.optimizer_args.lr=0.01
"""


def main(args: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit status: 0 done, 2 a user's error, explained on stderr."""
    words = list(sys.argv[1:] if args is None else args)
    if not words or words[0] in ("-h", "--help"):
        print(HELP)
        return 0
    from synthreal.errors import SynthrealError

    try:
        return _run(words[0], words[1:])
    except SynthrealError as error:
        print(f"synthreal: {error}", file=sys.stderr)
        return 2


def _run(command: str, rest: list[str]) -> int:
    if command in ("fit", "validate", "test", "predict"):
        from synthreal.experiment import ExperimentCLI

        ExperimentCLI([command, *rest])
    elif command == "preview":
        from synthreal.preview import PreviewCLI

        print(PreviewCLI(rest).draw())
    elif command == "study":
        from synthreal.studies.commands import main as study

        study(rest)
    elif command in ("version", "--version"):
        from synthreal import __version__

        print(__version__)
    else:
        print(f"synthreal: no command {command!r}.\n\n{HELP}", file=sys.stderr)
        return 2
    return 0
