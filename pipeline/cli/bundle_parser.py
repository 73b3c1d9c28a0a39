"""Arguments of the commands that look at bundles, at runs, and at this machine."""

import argparse
from collections.abc import Callable
from pathlib import Path

from pipeline.cli import commands, inspect

Add = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]
"""(name, function that runs it, text) -> the parser of a new command."""


def add_bundle_commands(add: Add) -> None:
    """Add all of them.

    Args:
        add: makes a command by its name and what it does.
    """
    predict = add("predict", inspect.predict, "predict files as the device would")
    _add_bundle(predict)
    predict.add_argument("inputs", type=Path, nargs="+", metavar="INPUT", help="a file each")
    predict.add_argument("--runtime", default="litert", help="interpreter (default: litert)")
    conform = add("conform", inspect.conform, "run a bundle's golden vectors elsewhere and compare")
    _add_elsewhere(conform)
    _add_demo(add("demo", commands.demo, "serve a bundle's page, which runs it in a browser"))
    signature = add("verify-signature", inspect.verify_signature, "who signed a bundle")
    _add_bundle(signature)
    signature.add_argument("--key", type=Path, metavar="FILE", help="the public key, in PEM")
    bench = add("bench", inspect.bench, "how long each file takes on each runtime, here")
    _add_bundle(bench)
    bench.add_argument("--runtime", metavar="NAME", help="interpreter (default: all that are here)")
    bench.add_argument(
        "--threads", type=int, metavar="N", help="of the interpreter (default: by the file's size)"
    )
    show = add("show", inspect.show, "what a run or a bundle holds, in metrics")
    show.add_argument(
        "path", type=Path, metavar="RUN_OR_BUNDLE", help="runs/<name>, exported/<name>"
    )
    compare = add(
        "compare",
        inspect.compare,
        "runs or bundles side by side: metrics, what differs, and which equality holds",
    )
    compare.add_argument("first", type=Path, metavar="A", help="what the others are compared with")
    compare.add_argument("others", type=Path, metavar="B", nargs="+", help="a run or a bundle each")
    compare.add_argument("--html", type=Path, metavar="FILE", help="write a page of one file, too")
    listed = _add_list(add)
    version = add("version", inspect.version, "the version of Edgeline")
    doctor = add("doctor", inspect.doctor, "devices, runtimes, compilers; how to get missing ones")
    looking = (predict, conform, signature, bench, show, compare, listed, version, doctor)
    for parser in looking:
        parser.add_argument("--json", action="store_true", help="one JSON document, not text")


def _add_list(add: Add) -> argparse.ArgumentParser:
    """Add the list of runs and bundles."""
    listed = add("list", inspect.list_runs, "all runs and bundles: verdict, metric, size, date")
    for folder, holds in (("runs", "run folders"), ("exported", "bundles")):
        text = f"folder of {holds} (default: {folder})"
        listed.add_argument(
            f"--{folder}", type=Path, default=Path(folder), metavar="DIR", help=text
        )
    listed.add_argument("--html", type=Path, metavar="FILE", help="write a page of one file, too")
    return listed


def _add_bundle(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="exported/<name>")


def _add_elsewhere(conform: argparse.ArgumentParser) -> None:
    """Add where a bundle is proven."""
    _add_bundle(conform)
    place = conform.add_mutually_exclusive_group()
    place.add_argument(
        "--runtime",
        metavar="NAME",
        help="interpreter here (default: litert); c: LiteRT between the compiled C library",
    )
    place.add_argument(
        "--device",
        metavar="ssh://USER@HOST:PORT[/PYTHON]",
        help="a machine with Python, NumPy and an interpreter, reached by your ssh and its keys",
    )
    conform.add_argument("--format", metavar="NAME", help="one of the bundle (default: all)")


def _add_demo(demo: argparse.ArgumentParser) -> None:
    """Add how a bundle is shown in a browser."""
    _add_bundle(demo)
    demo.add_argument(
        "--lan", action="store_true", help="to phones in this network too, over TLS, by a QR code"
    )
    demo.add_argument(
        "--port", type=_port, default=0, metavar="N", help="where to listen (default: any free)"
    )


def _port(text: str) -> int:
    """Return the number of a port, if it is one."""
    if not text.isdecimal() or not 0 <= int(text) < 1 << 16:
        raise argparse.ArgumentTypeError(f"wanted a port from 0 to 65535; came {text!r}")
    return int(text)
