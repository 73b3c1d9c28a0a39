"""The commands that make something: runs, configs, bundles, a page. Each returns its exit code.

Nothing heavy is loaded before a command is asked for.
"""

import argparse
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli.inspect import as_json
from pipeline.errors import ConfigError, GateError
from pipeline.escape import terminal
from pipeline.stages import NAMES

if TYPE_CHECKING:
    from pipeline.config.schema import Config
    from pipeline.executor import Run


def run(args: argparse.Namespace) -> int:
    """Run the chain, then say in one line what came of it."""
    if args.force and NAMES.index(args.force) > NAMES.index(args.until):
        raise ConfigError(
            f"--force {args.force}: it comes after {args.until}, the last stage to run"
        )
    for folder in (args.runs, args.exported):
        _check_is_folder(folder)
    from pipeline.config.load import load
    from pipeline.executor import Run
    from pipeline.launch.lead import follow, lead_workers
    from pipeline.launch.place import check_place, end_with_launcher, place_here

    end_with_launcher()
    config = load(args.config, args.overrides)
    run = Run(config=config, base=args.config.parent, runs=args.runs, exported=args.exported)
    if args.role is not None or args.chief is not None:
        _take_role(args, config)
    if args.role == "worker":
        return _work(args, run)
    place = check_place(config, place_here())
    if place is not None and not place.is_chief:
        return follow()
    with nullcontext() if place is None else lead_workers():
        failed = _chain(args, run)
    _close(args, run, failed)
    return 0


def _chain(args: argparse.Namespace, run: "Run") -> GateError | None:
    """Run the stages; return what a gate says that fails."""
    from pipeline.tracking import tracked_chain

    try:
        tracked_chain(run, until=args.until, force=args.force)
    except GateError as error:
        return error
    return None


def _close(args: argparse.Namespace, run: "Run", failed: GateError | None) -> None:
    """Say what came of a run.

    Raises:
        GateError: a gate failed.
    """
    from pipeline.run_summary import check_verdict, published_line, tell_next

    config = run.config
    verdict = run.folder / "gate" / "verdict.json"
    is_judged = NAMES.index(args.until) >= NAMES.index("gate")
    if is_judged and args.form == "json" and verdict.is_file():
        _tell_verdict(verdict)
    try:
        if failed is not None:
            raise failed
        if is_judged:
            check_verdict(verdict)
    except GateError:
        if is_judged:
            tell_next(run.folder, None)
        raise
    bundle = args.exported / config.name
    if args.until == "bundle" and args.form == "json":
        _print_event({"event": "bundle", "path": bundle})
    elif args.until == "bundle" and args.form == "plain":
        print(terminal(published_line(bundle, config.task, config.task_metric)))
    if is_judged:
        tell_next(run.folder, bundle if args.until == "bundle" else None)


def _tell_verdict(path: Path) -> None:
    """Print the verdict for a program."""
    from pipeline.documents.verdict import Verdict

    verdict = Verdict.read(path)
    gates = [result.dump() for result in verdict.decisive]
    own = {"passed": verdict.passed, "ships": verdict.ships}
    _print_event({"event": "verdict", **own, "gates": gates})


def launch(args: argparse.Namespace) -> int:
    """Run the chain with several workers, or print what would elsewhere."""
    for folder in (args.runs, args.exported):
        _check_is_folder(folder)
    from pipeline.config.load import load
    from pipeline.launch.place import check_launch
    from pipeline.launch.scripts import k8s, slurm
    from pipeline.launch.workers import launch

    config = load(args.config, args.overrides)
    check_launch(config, args.workers)
    places = ("--runs", str(args.runs), "--exported", str(args.exported), "--until", args.until)
    changes = [part for change in args.overrides for part in ("--set", change)]
    arguments = [str(args.config), *changes, *places]
    many = {"workers": args.workers, "restarts": args.restarts}
    if args.script == "slurm":
        print(slurm(config.name, arguments, python=sys.executable, **many), end="")
    elif args.script == "k8s":
        print(k8s(config.name, arguments, **many), end="")
    else:
        command = [sys.executable, "-P", "-m", "pipeline", "run", *arguments]
        return launch(command, logs=args.runs / config.name / "logs", **many)
    return 0


def _take_role(args: argparse.Namespace, config: "Config") -> None:
    """Check the options of chief and workers; set KerasTuner's environment variables by them."""
    if args.role is None or args.chief is None:
        missing = "--role chief or worker" if args.role is None else "--chief HOST:PORT"
        raise ConfigError(f"--role and --chief go together; wanted {missing}, too")
    if config.tune is None:
        raise ConfigError("--role: there is no search in this config (tune: null)")
    if args.role == "chief":
        host, _, port = args.chief.rpartition(":")
        os.environ["KERASTUNER_TUNER_ID"] = "chief"
        os.environ |= {"KERASTUNER_ORACLE_IP": host, "KERASTUNER_ORACLE_PORT": port}


def _work(args: argparse.Namespace, run: "Run") -> int:
    """Prepare what a worker reads, then measure trials for the chief."""
    from pipeline.executor import inputs_of, run_chain

    run_chain(run, until="build", force=args.force)
    inputs = inputs_of(run, "tune")
    from pipeline.tune.worker import join

    join(run.config, inputs, args.chief, folder=run.folder / "tune.worker")
    return 0


def quantize(args: argparse.Namespace) -> int:
    """Run the chain on a model from elsewhere, with nothing trained."""
    from pipeline.config.given import as_given

    own = as_given(args.config, args.model, args.overrides)
    args.overrides = [*own, *args.overrides]
    args.until, args.force = "bundle", None
    return run(args)


def _check_is_folder(path: Path) -> None:
    """Refuse a folder that cannot be made because a file is in the way."""
    for part in (path, *path.parents):
        if part.exists() and not part.is_dir():
            raise ConfigError(f"{part}: wanted a folder; this is a file")


def show_config(args: argparse.Namespace) -> int:
    """Print a config with every default."""
    from pipeline.config.editor import resolved_text
    from pipeline.config.load import load

    print(terminal(resolved_text(load(args.config, args.overrides))), end="")
    return 0


def validate_config(args: argparse.Namespace) -> int:
    """List every mistake in a config."""
    from pipeline.config.load import load

    load(args.config, args.overrides)
    print(terminal(f"{args.config}: valid"))
    return 0


def show_schema(args: argparse.Namespace) -> int:
    """Print the JSON schema of configs."""
    from pipeline.config.editor import schema_text

    print(schema_text(), end="")
    return 0


def new(args: argparse.Namespace) -> int:
    """Write a config that fits the data."""
    from pipeline.new.write import write_config

    print(terminal(write_config(args.file, args.data, args.target)))
    return 0


def demo(args: argparse.Namespace) -> int:
    """Serve until somebody ends it, which is no mistake."""
    from pipeline.device.demo import serve_bundle, wait_until_idle, words

    try:
        with serve_bundle(args.bundle, lan=args.lan, port=args.port) as demo:
            print(words(demo), flush=True)
            wait_until_idle(demo)
    except KeyboardInterrupt:
        print("ended", file=sys.stderr)
    return 0


def _print_event(event: dict[str, object]) -> None:
    print(as_json(event), flush=True)
