"""The commands that look at bundles, runs and this machine: each prints what it yields.

Nothing heavy is loaded before a command is asked for.
"""

import argparse
import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from operator import itemgetter

from pipeline.escape import terminal

PARTS = itemgetter("input", "decision", "confidence", "top", "why")  # of a prediction


def print_lines(
    lines: Callable[[argparse.Namespace], Iterator[str]],
) -> Callable[[argparse.Namespace], int]:
    """Return a command that prints what another yields, and its exit code."""

    @functools.wraps(lines)
    def command(args: argparse.Namespace) -> int:
        for line in lines(args):
            print(terminal(line), flush=True)
        return 0

    return command


def as_json(value: object, *, indent: int | None = None) -> str:
    """Return a value as JSON; what JSON does not know, as its text."""
    return json.dumps(value, default=str, indent=indent)


@print_lines
def predict(args: argparse.Namespace) -> Iterator[str]:
    """Print what the device would predict for files."""
    from pipeline.device.predict import predict as predict_files

    predictions = predict_files(args.bundle, args.inputs, runtime=args.runtime)
    if args.json:
        yield as_json(predictions, indent=1)
        return
    for path, decision, confidence, top, reasons in map(PARTS, predictions):
        is_decided = decision != "abstain"
        sure = f"  {confidence:.4f}" if is_decided and confidence is not None else ""
        shown = top[is_decided:]
        others = "  ".join(f"{label} {share:.4f}" for label, share in shown)
        why = f" ({'; '.join(reasons)})" if reasons else ""
        then = f"   then {others}" if others else ""
        yield f"{path}: {decision}{sure}{why}{then}"


@print_lines
def conform(args: argparse.Namespace) -> Iterator[str]:
    """Run golden vectors elsewhere; raise what does not conform after printing it."""
    from pipeline.device.conform import check, facts, table
    from pipeline.device.conform import conform as conformance_of

    here = {} if args.runtime is None else {"runtime": args.runtime}
    found = conformance_of(args.bundle, device=args.device, form=args.format, **here)
    yield as_json(facts(found), indent=1) if args.json else table(found)
    check(found)
    if not args.json:
        yield "conforms"


@print_lines
def verify_signature(args: argparse.Namespace) -> Iterator[str]:
    """Say who signed a bundle; raise where it is not the key that was given."""
    from pipeline.documents.bundles import read_bundle
    from pipeline.documents.signature import fingerprint_of_file, read_signer
    from pipeline.errors import ArtifactError

    wanted = None if args.key is None else fingerprint_of_file(args.key)
    read_bundle(args.bundle)
    signer = read_signer(args.bundle)
    if signer is None:
        raise ArtifactError(f"{args.bundle}: unsigned; export.sign names a key that signs")
    if wanted not in (None, signer):
        raise ArtifactError(f"{args.bundle}: signed by {signer}; wanted {wanted}")
    yield as_json({"signer": signer}) if args.json else f"{args.bundle}: signed by {signer}"


@print_lines
def bench(args: argparse.Namespace) -> Iterator[str]:
    """Time the files of a bundle here."""
    from pipeline.device.bench import bench as rows_of
    from pipeline.device.bench import table

    rows = rows_of(args.bundle, runtime=args.runtime, threads=args.threads)
    yield as_json(rows, indent=1) if args.json else table(rows)


@print_lines
def show(args: argparse.Namespace) -> Iterator[str]:
    """Tell what a run or a bundle holds."""
    from pipeline.report.show import facts
    from pipeline.report.show import show as shown

    yield as_json(facts(args.path), indent=1) if args.json else shown(args.path)


@print_lines
def compare(args: argparse.Namespace) -> Iterator[str]:
    """Put runs and bundles side by side."""
    from pipeline.artifacts import atomic_path
    from pipeline.compare.differences import compare as compared
    from pipeline.compare.sides import read_side
    from pipeline.compare.tell import page, text
    from pipeline.errors import ConfigError

    if args.html is not None and not args.html.parent.is_dir():
        raise ConfigError(f"--html {args.html}: wanted a file in a folder that is there")
    found = compared([read_side(path) for path in (args.first, *args.others)])
    if args.html is not None:
        with atomic_path(args.html) as partial:
            partial.write_text(page(found))
    yield as_json(found.dump(), indent=1) if args.json else text(found)


@print_lines
def list_runs(args: argparse.Namespace) -> Iterator[str]:
    """Print all runs and bundles, a line each."""
    from pipeline.artifacts import atomic_path
    from pipeline.errors import ConfigError
    from pipeline.report import run_list

    if args.html is not None and not args.html.resolve().parent.is_dir():
        raise ConfigError(f"--html {args.html}: wanted a file in a folder that is there")
    rows = run_list.list_runs(args.runs, args.exported)
    if args.html is not None:
        with atomic_path(args.html) as partial:
            partial.write_text(run_list.page(rows, args.html.parent), encoding="utf-8")
    yield as_json([asdict(row) for row in rows], indent=1) if args.json else run_list.text(rows)


@print_lines
def version(args: argparse.Namespace) -> Iterator[str]:
    """Print the version."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    from pipeline.errors import ConfigError

    try:
        found = version_of("edgeline")
    except PackageNotFoundError:
        problem = "edgeline is not installed, so it has no version; run: make setup"
        raise ConfigError(problem) from None
    yield as_json({"edgeline": found}) if args.json else f"edgeline {found}"


@print_lines
def doctor(args: argparse.Namespace) -> Iterator[str]:
    """Print devices, runtimes and compilers, what is missing, and how to get it."""
    from pipeline.doctor import examine

    groups = examine()
    if args.json:
        yield as_json({name: [asdict(row) for row in rows] for name, rows in groups.items()})
        return
    for group, findings in groups.items():
        yield group
        for found in findings:
            yield f"  {'ok' if found.is_there else '--'}  {found.item:<22} {found.detail}"
            if found.cure:
                yield f"      {found.cure}"
