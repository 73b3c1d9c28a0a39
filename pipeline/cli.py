"""The command line: arguments, messages, exit codes. Loads nothing heavy before a command runs.

Exit codes: 0 done; 2 the user's input is wrong; 3 a gate failed; 4 an artifact is missing, stale or
damaged; 130 interrupted. Anything else is our bug and shows its traceback.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from pipeline import commands
from pipeline.arguments import STAGES, check_command, parser
from pipeline.errors import STORAGE_ERRORS, ConfigError, GateError, PipelineError
from pipeline.terminal import set_output_form

INTERRUPTED = 130
LOOKING = (
    commands.predict, commands.conform, commands.bench, commands.show, commands.compare,
    commands.doctor,
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: arguments after the program's name; None: those of this process.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    known = _parser()
    check_command(known, arguments)
    args = known.parse_args(arguments)
    form = vars(args).get("form", "plain")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with set_output_form(form):
            code: int = args.command(args)
        sys.stdout.flush()
    except PipelineError as error:
        _complain(str(error), form, error.exit_code)
        return error.exit_code
    except KeyboardInterrupt:
        _complain("interrupted; the same command goes on from here", form, INTERRUPTED)
        return INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough: `edgeline show | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in STORAGE_ERRORS:
            raise
        words = f"{error.filename or 'writing'}: {STORAGE_ERRORS[error.errno]}"
        _complain(words, form, ConfigError.exit_code)
        return ConfigError.exit_code
    return code


def _parser() -> argparse.ArgumentParser:
    """Return the parser of all commands, with what answers each."""
    return parser(
        {
            "run": _run,
            "launch": _launch,
            "config show": _config_show,
            "config validate": _config_validate,
            "config schema": _config_schema,
            "new": _new,
            "quantize": _quantize,
            "demo": _demo,
            **{call.__name__: _told(call) for call in LOOKING},
        }
    )


def _complain(message: str, form: str, code: int) -> None:
    """Say what went wrong on stderr; to a program on stdout, too."""
    if form == "json":
        _print_json({"event": "error", "exit_code": code, "problems": message.splitlines()})
    print(message, file=sys.stderr)


def _print_json(value: Any) -> None:
    print(commands.as_json(value), flush=True)


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
    from pipeline.launch.lead import follow, lead_workers
    from pipeline.launch.place import check_place, end_with_launcher, place_here
    from pipeline.run import Run

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


def _chain(args: argparse.Namespace, run: Any) -> GateError | None:
    """Run the stages; return what a gate says that fails."""
    from pipeline.tracking import tracked_chain

    try:
        tracked_chain(run, until=args.until, force=args.force)
    except GateError as error:
        return error
    return None


def _close(args: argparse.Namespace, run: Any, failed: GateError | None) -> None:
    """Say what came of a run.

    Raises:
        GateError: a gate failed.
    """
    from pipeline.outcome import check_verdict, published_line

    order, config = tuple(STAGES), run.config
    verdict = run.folder / "gate" / "verdict.json"
    is_judged = order.index(args.until) >= order.index("gate")
    if is_judged and args.form == "json" and verdict.is_file():
        _tell_verdict(verdict)
    if failed is not None:
        raise failed
    if is_judged:
        check_verdict(verdict)
    if args.until == "bundle" and args.form == "json":
        _print_json({"event": "bundle", "path": args.exported / config.name})
    elif args.until == "bundle" and args.form == "plain":
        print(published_line(args.exported / config.name, config.task, config.task_metric))


def _tell_verdict(path: Path) -> None:
    """Say to a program what the gates made of the run."""
    from pipeline.documents.verdict import Verdict

    verdict = Verdict.read(path)
    gates = [result.dump() for result in verdict.decisive]
    own = {"passed": verdict.passed, "ships": verdict.ships}
    _print_json({"event": "verdict", **own, "gates": gates})


def _launch(args: argparse.Namespace) -> int:
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
        command = [sys.executable, "-m", "pipeline", "run", *arguments]
        return launch(command, logs=args.runs / config.name / "logs", **many)
    return 0


def _take_role(args: argparse.Namespace, config: Any) -> None:
    """Check what was said of chief and workers; a chief is told of it as KerasTuner does it."""
    if args.role is None or args.chief is None:
        missing = "--role chief or worker" if args.role is None else "--chief HOST:PORT"
        raise ConfigError(f"--role and --chief go together; wanted {missing}, too")
    if config.tune is None:
        raise ConfigError("--role: there is no search in this config (tune: null)")
    if args.role == "chief":
        host, _, port = args.chief.rpartition(":")
        os.environ["KERASTUNER_TUNER_ID"] = "chief"
        os.environ |= {"KERASTUNER_ORACLE_IP": host, "KERASTUNER_ORACLE_PORT": port}


def _work(args: argparse.Namespace, run: Any) -> int:
    """Prepare what a worker reads, then measure trials for the chief."""
    from pipeline.run import inputs_of, run_chain

    run_chain(run, until="build", force=args.force)
    inputs = inputs_of(run, "tune")
    from pipeline.tune.worker import join

    join(run.config, inputs, args.chief, run.folder / "tune.worker")
    return 0


def _quantize(args: argparse.Namespace) -> int:
    """Run the chain on a model from elsewhere, with nothing trained."""
    from pipeline.config.given import as_given
    from pipeline.config.load import load

    plain = load(args.config, args.overrides)
    own = as_given(plain, args.model, args.config.parent)
    args.overrides = [*own, *args.overrides]
    args.until, args.force = "bundle", None
    return _run(args)


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


def _told(lines: Callable[[argparse.Namespace], Iterator[str]]) -> Callable[..., int]:
    """Return a command that prints what another yields."""

    def answer(args: argparse.Namespace) -> int:
        for line in lines(args):
            print(line, flush=True)
        return 0

    return answer


def _demo(args: argparse.Namespace) -> int:
    """Serve until somebody ends it, which is no mistake."""
    import threading

    from pipeline.device.demo import serve_bundle, words

    try:
        with serve_bundle(args.bundle, lan=args.lan, port=args.port) as demo:
            print(words(demo), flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        _complain("ended", "plain", 0)
    return 0
