"""What may stand on the command line: commands, options, and the nearest right word."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from pipeline.cli import commands
from pipeline.cli.bundle_parser import add_bundle_commands
from pipeline.stages import NAMES, STAGES

Call = Callable[[argparse.Namespace], int]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

MOST_WORKERS = 10_000


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; each sets `command`: arguments -> exit code."""
    made = argparse.ArgumentParser(
        prog="edgeline",
        allow_abbrev=False,
        description="One YAML file in, a TFLite bundle out, with proof that it decides as trained.",
    )
    made.add_argument("--version", action=_Version, nargs=0, help="print the version and leave")
    added = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    run = _command(added, "run", commands.run, "run every stage, skipping those that are fresh")
    _add_run_options(run)
    run.add_argument("--until", type=_stage, metavar="STAGE", default="bundle", help="last stage")
    for stage in STAGES:
        parser = _command(added, stage.name, commands.run, f"{stage.does}, and all before it")
        _add_run_options(parser)
        parser.set_defaults(until=stage.name)
        if stage.name == "tune":
            _add_roles(parser)
    made.set_defaults(role=None, chief=None)
    _add_launch(added)
    _add_config_commands(added)
    _add_data_commands(added)
    add_bundle_commands(lambda name, call, text: _command(added, name, call, text))
    asked = _command(added, "help", _help, "what a command takes")
    asked.add_argument("words", nargs="*", metavar="COMMAND", help="such as: config show")
    return made


def _help(args: argparse.Namespace) -> int:
    """Print what `--help` says, of all commands or of one."""
    known = make_parser()
    check_command(known, args.words)
    known.parse_args([*args.words, "--help"])  # which ends the program
    return 0


def _add_roles(tune: argparse.ArgumentParser) -> None:
    """Add the options that let many machines share a search."""
    tune.add_argument(
        "--role",
        choices=("chief", "worker"),
        default=None,
        help="chief: hand the trials out; worker: measure them (default: do both here)",
    )
    tune.add_argument(
        "--chief",
        type=_address,
        default=None,
        metavar="HOST:PORT",
        help="where the chief listens, in a network that you trust",
    )


def _add_launch(added: Commands) -> None:
    """Add what runs the chain with several workers."""
    text = "run every stage, training in several worker processes at once"
    launch = _command(added, "launch", commands.launch, text)
    _add_config(launch)
    _add_places(launch)
    launch.add_argument(
        "--until", type=_stage, metavar="STAGE", default="bundle", help="last stage"
    )
    launch.add_argument(
        "--workers", type=_several, required=True, metavar="N", help="processes, 2 or more"
    )
    launch.add_argument(
        "--restarts",
        type=int,
        choices=range(101),
        default=3,
        metavar="N",
        help="how often all begin again, from the last checkpoint, when one dies (default: 3)",
    )
    launch.add_argument(
        "--print",
        dest="script",
        choices=("slurm", "k8s"),
        default=None,
        help="write what starts it on a SLURM or Kubernetes cluster, instead of starting it here",
    )


def _several(text: str) -> int:
    """Return a number of workers, if it is that."""
    if not text.isdecimal() or not 1 < int(text) <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(
            f"wanted 2 to {MOST_WORKERS} workers; came {text!r}. One process is: edgeline run"
        )
    return int(text)


def _address(text: str) -> str:
    """Return HOST:PORT, if it is that."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise argparse.ArgumentTypeError(f"wanted HOST:PORT, such as 10.0.0.1:8470; came {text!r}")
    return text


def _add_data_commands(added: Commands) -> None:
    """Add what makes a config or a bundle from what people bring."""
    new = _command(
        added, "new", commands.new, "write a commented config that fits the data it looks at"
    )
    new.add_argument("file", type=Path, metavar="FILE", help="the config to write, a .yaml file")
    new.add_argument("--data", type=Path, required=True, metavar="PATH", help="a file or folder")
    new.add_argument(
        "--target", metavar="NAME", help="column to predict (default: guessed by name and position)"
    )
    quantize = _command(
        added,
        "quantize",
        commands.quantize,
        "bundle a model that was trained elsewhere, untrained here",
    )
    quantize.add_argument(
        "model", type=Path, metavar="MODEL", help=".keras, .h5, SavedModel, .tflite"
    )
    quantize.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="CONFIG",
        dest="config",
        help="a config: its data, export, gates and all else but model and training",
    )
    _add_overrides(quantize)
    _add_form(quantize)
    _add_places(quantize)


def _add_form(parser: argparse.ArgumentParser) -> None:
    """Add the options for the form of the output."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--quiet", dest="form", action="store_const", const="quiet", help="say nothing but errors"
    )
    form.add_argument(
        "--json",
        dest="form",
        action="store_const",
        const="json",
        help="one JSON object a line on stdout: stages, epochs, verdict, errors",
    )
    parser.set_defaults(form="plain")


def _command(added: Commands, name: str, call: Call, text: str) -> argparse.ArgumentParser:
    """Add one command that `call(args) -> exit code` runs."""
    parser = added.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False
    )
    parser.set_defaults(command=call)
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="CONFIG", help="a YAML file")
    _add_overrides(parser)


def _add_overrides(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change one setting for this run: --set train.epochs=3 (repeatable)",
    )


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    _add_config(parser)
    _add_form(parser)
    parser.add_argument(
        "--force", type=_stage, metavar="STAGE", help="count nothing as fresh from this stage on"
    )
    _add_places(parser)


def _add_places(parser: argparse.ArgumentParser) -> None:
    for folder, holds in (("runs", "working artifacts"), ("exported", "bundles")):
        text = f"{holds} (default: {folder})"
        parser.add_argument(
            f"--{folder}", type=Path, default=Path(folder), metavar="DIR", help=text
        )


def _add_config_commands(added: Commands) -> None:
    config = added.add_parser(
        "config",
        help="show, validate, schema",
        description="Look at a config without running it.",
        allow_abbrev=False,
    )
    actions = config.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_config(
        _command(actions, "show", commands.show_config, "print a config with every default")
    )
    _add_config(
        _command(actions, "validate", commands.validate_config, "list every mistake in a config")
    )
    _command(actions, "schema", commands.show_schema, "print the JSON schema for editors")


def check_command(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Refuse an unknown command with the nearest one; argparse would list them all."""
    subparsers = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    known = tuple(subparsers.choices)
    if arguments and not arguments[0].startswith("-") and arguments[0] not in known:
        parser.error(
            f"no command {arguments[0]!r}{_nearest(arguments[0], known)}; see edgeline --help"
        )


def _stage(name: str) -> str:
    """Return a stage's name, if it is one."""
    if name not in NAMES:
        near = _nearest(name, NAMES)
        raise argparse.ArgumentTypeError(f"no stage {name!r}{near}; stages: {', '.join(NAMES)}")
    return name


def _nearest(word: str, known: Sequence[str]) -> str:
    from pipeline.config.shape import did_you_mean

    return did_you_mean(word, known)


class _Version(argparse.Action):
    """Prints the version; looks it up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *ignored: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            sys.stdout.write(f"edgeline {version('edgeline')}\n")
        except PackageNotFoundError:
            parser.error("edgeline is not installed, so it has no version; run: make setup")
        parser.exit()
