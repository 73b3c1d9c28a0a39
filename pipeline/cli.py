"""The command line: arguments, messages, exit codes. Loads nothing heavy before a command runs.

Exit codes: 0 done; 2 the user's input is wrong; 3 a gate failed; 4 an artifact is missing, stale or
damaged; 130 interrupted. Anything else is our bug and shows its traceback.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import STORAGE_ERRORS, ConfigError, PipelineError

INTERRUPTED = 130
STAGES = {  # in order; a test compares the names with the stage table
    "data": "prepare the samples and cut them into train, validation and test",
    "baseline": "score classical models on the same split",
    "build": "describe the model and check its budget before any training",
    "tune": "search hyper-parameters",
    "train": "train the network",
    "harden": "fine-tune on adversarial examples",
    "compress": "decide how every tensor is quantized",
    "export": "write the .tflite files, compiled variants and C sources",
    "verify": "measure every file against the trained model",
    "audit": "attack every file",
    "gate": "judge the measurements",
    "report": "write report.html and MODEL_CARD.md",
    "bundle": "publish exported/<name>/ when every gate passed",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: arguments after the program's name; None: those of this process.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = _parser()
    _check_command(parser, arguments)
    args = parser.parse_args(arguments)
    _set_logging()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code: int = args.command(args)
        sys.stdout.flush()
    except PipelineError as error:
        _complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _complain("interrupted; the same command goes on from here")
        return INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough: `edgeline show | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in STORAGE_ERRORS:
            raise
        _complain(f"{error.filename or 'writing'}: {STORAGE_ERRORS[error.errno]}")
        return ConfigError.exit_code
    return code


def _parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="edgeline",
        allow_abbrev=False,
        description="One YAML file in, a TFLite bundle out, with proof that it decides as trained.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and leave")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    run = _command(commands, "run", _run, "run every stage, skipping those that are fresh")
    _add_run_options(run)
    run.add_argument("--until", type=_stage, metavar="STAGE", default="bundle", help="last stage")
    for name, text in STAGES.items():
        stage = _command(commands, name, _run, f"{text}, and all before it")
        _add_run_options(stage)
        stage.set_defaults(until=name)
    _add_config_commands(commands)
    new = _command(commands, "new", _new, "write a commented config that fits the data it looks at")
    new.add_argument("file", type=Path, metavar="FILE", help="the config to write, a .yaml file")
    new.add_argument("--data", type=Path, required=True, metavar="PATH", help="a file or folder")
    new.add_argument(
        "--target", metavar="NAME", help="column to answer (default: guessed by name and place)"
    )
    predict = _command(commands, "predict", _predict, "what the device would answer to files")
    predict.add_argument("bundle", type=Path, metavar="BUNDLE", help="exported/<name>")
    predict.add_argument("inputs", type=Path, nargs="+", metavar="INPUT", help="a file each")
    predict.add_argument("--runtime", default="litert", help="interpreter (default: litert)")
    show = _command(commands, "show", _show, "what a run or a bundle holds, in figures")
    show.add_argument(
        "path", type=Path, metavar="RUN_OR_BUNDLE", help="runs/<name>, exported/<name>"
    )
    _command(commands, "doctor", _doctor, "what is there, what is missing, and how to get it")
    return parser


def _command(commands: Any, name: str, call: Any, text: str) -> argparse.ArgumentParser:
    """Add one command that is answered by `call(args) -> exit code`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False
    )
    parser.set_defaults(command=call)
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="CONFIG", help="a YAML file")
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
    parser.add_argument(
        "--force", type=_stage, metavar="STAGE", help="count nothing as fresh from this stage on"
    )
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path("runs"),
        metavar="DIR",
        help="working artifacts (default: runs)",
    )
    parser.add_argument(
        "--exported",
        type=Path,
        default=Path("exported"),
        metavar="DIR",
        help="bundles (default: exported)",
    )


def _add_config_commands(commands: Any) -> None:
    config = commands.add_parser(
        "config",
        help="show, validate, schema",
        description="Look at a config without running it.",
        allow_abbrev=False,
    )
    actions = config.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_config(_command(actions, "show", _config_show, "print a config with every default"))
    _add_config(_command(actions, "validate", _config_validate, "list every mistake in a config"))
    _command(actions, "schema", _config_schema, "print the JSON schema for editors")


def _check_command(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Refuse an unknown command with the nearest one; argparse would list them all."""
    known = ("run", *STAGES, "config", "new", "predict", "show", "doctor")
    if arguments and not arguments[0].startswith("-") and arguments[0] not in known:
        parser.error(
            f"no command {arguments[0]!r}{_nearest(arguments[0], known)}; see edgeline --help"
        )


def _stage(name: str) -> str:
    """Return a stage's name, if it is one."""
    if name not in STAGES:
        near = _nearest(name, tuple(STAGES))
        raise argparse.ArgumentTypeError(f"no stage {name!r}{near}; stages: {', '.join(STAGES)}")
    return name


def _nearest(word: str, known: Sequence[str]) -> str:
    from pipeline.config.shape import did_you_mean

    return did_you_mean(word, known)


class _Version(argparse.Action):
    """Prints the version; looks it up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *ignored: Any) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"edgeline {version('edgeline')}")
        except PackageNotFoundError:
            parser.error("edgeline is not installed, so it has no version; run: make setup")
        parser.exit()


def _set_logging() -> None:
    """Send stage lines to stderr, plain; others speak only when something is wrong."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr, level=logging.WARNING)
    logging.getLogger("pipeline").setLevel(logging.INFO)
    for noisy in ("absl", "tensorflow"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


def _complain(message: str) -> None:
    print(message, file=sys.stderr)


def _run(args: argparse.Namespace) -> int:
    """Run the chain, then say in one line what came of it."""
    order = tuple(STAGES)
    if args.force and order.index(args.force) > order.index(args.until):
        raise ConfigError(
            f"--force {args.force}: it comes after {args.until}, the last stage to run"
        )
    for folder in (args.runs, args.exported):
        _check_is_folder(folder)
    from pipeline.config.load import load
    from pipeline.outcome import check_verdict, published
    from pipeline.run import Run, run_chain

    config = load(args.config, args.overrides)
    run = Run(config=config, base=args.config.parent, runs=args.runs, exported=args.exported)
    run_chain(run, until=args.until, force=args.force)
    if order.index(args.until) >= order.index("gate"):
        check_verdict(run.folder / "gate" / "verdict.json")
    if args.until == "bundle":
        print(published(args.exported / config.name, config.task))
    return 0


def _check_is_folder(path: Path) -> None:
    """Refuse a folder that cannot be made because a file is in the way."""
    for part in (path, *path.parents):
        if part.exists() and not part.is_dir():
            raise ConfigError(f"{part}: wanted a folder; this is a file")


def _config_show(args: argparse.Namespace) -> int:
    from pipeline.config.editor import resolved_text
    from pipeline.config.load import load

    print(resolved_text(load(args.config, args.overrides)), end="")
    return 0


def _config_validate(args: argparse.Namespace) -> int:
    from pipeline.config.load import load

    load(args.config, args.overrides)
    print(f"{args.config}: valid")
    return 0


def _config_schema(args: argparse.Namespace) -> int:
    from pipeline.config.editor import schema_text

    print(schema_text(), end="")
    return 0


def _new(args: argparse.Namespace) -> int:
    from pipeline.new.write import write_config

    print(write_config(args.file, args.data, args.target))
    return 0


def _predict(args: argparse.Namespace) -> int:
    from pipeline.device.predict import predict

    for answer in predict(args.bundle, args.inputs, runtime=args.runtime):
        has_one = answer["confidence"] is not None and answer["decision"] != "abstain"
        sure = f"  {answer['confidence']:.4f}" if has_one else ""
        shown = answer["top"][answer["decision"] != "abstain" :]
        others = "  ".join(f"{label} {share:.4f}" for label, share in shown)
        print(
            f"{answer['input']}: {answer['decision']}{sure}"
            + (f"   then {others}" if others else "")
        )
    return 0


def _show(args: argparse.Namespace) -> int:
    from pipeline.report.show import show

    print(show(args.path))
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from pipeline.doctor import examine

    for group, findings in examine().items():
        print(group)
        for found in findings:
            print(f"  {'ok' if found.is_there else '--'}  {found.item:<22} {found.detail}")
            if found.cure:
                print(f"      {found.cure}")
    return 0
