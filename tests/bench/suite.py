"""The proof: run shipped configs from data to bundle, and keep what came of each as a file.

    .venv/bin/python -m tests.bench.suite [--only NAME ...] [--data FOLDER] [--seeds N] [--again]
    .venv/bin/python -m tests.bench.suite --clock [--only NAME ...]

A result is bound to the bytes of its config, the versions and the machine; one that still holds is
not measured again, so that a run of hours goes on where it was stopped. How long a file takes is
told by a machine that does nothing else: --clock takes that alone anew, of the bundles that are
there. The tables of the documentation are made from these files: see tables.py.
"""

import argparse
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import SCHEMA, read_json, sha256_file, write_json
from pipeline.config.load import load
from pipeline.config.schema import Config
from pipeline.device.bench import bench
from pipeline.device.measure import run_file
from pipeline.device.runtimes import why_missing
from pipeline.documents.manifest import Manifest
from pipeline.documents.preprocess import Preprocess
from pipeline.documents.stages import BundleTimings
from pipeline.errors import ConfigError, PipelineError
from pipeline.host import describe_machine
from pipeline.tasks import task_of

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_name("results")
WORK = ROOT / "runs" / "bench"
PACKAGES = ("edgeline", "tensorflow", "keras", "ai-edge-litert", "ai-edge-quantizer")
MACHINE = ("cpu", "threads", "system", "python")  # of what bits depend on
FORM = 2  # of a result; raised when a row says more than before
CLOCK = "litert"  # the runtime that every machine of the tables has
MICRO = "tflite-micro"
Row = dict[str, Any]


def main() -> None:
    """Run the configs that have no result yet, and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", help="names of configs (default: all)")
    parser.add_argument("--data", type=Path, help="folder of the real sets, with tfds/ in it")
    parser.add_argument("--seeds", type=int, default=1, help="how often, from the config's seed on")
    parser.add_argument("--again", action="store_true", help="measure what has a result, too")
    parser.add_argument("--clock", action="store_true", help="take the files' times anew, only")
    asked = parser.parse_args()
    if asked.data is not None:
        offer(asked.data)
    for path in sorted((ROOT / "configs").glob("*.yaml")):
        if not asked.only or path.stem in asked.only:
            try:
                if asked.clock:
                    result = timed_again(path)
                else:
                    result = measured(path, asked.data, seeds=asked.seeds, again=asked.again)
            except ConfigError as error:  # its set is not here: the others go on
                print(f"{path.stem:<24} left out: {error}", flush=True)
                continue
            for row in result["runs"]:
                print(line(path.stem, row), flush=True)


def offer(data: Path) -> None:
    """Let the configs find the sets where they look for them: in runs/data."""
    if not data.is_dir():
        raise SystemExit(f"{data}: no such folder")
    link = ROOT / "runs" / "data"
    link.parent.mkdir(exist_ok=True)
    if not link.exists():
        link.symlink_to(data.resolve())


def measured(path: Path, data: Path | None, *, seeds: int, again: bool) -> Row:
    """Return the result of a config, run for the seeds that it lacks, and written after each.

    Args:
        path: the config.
        data: folder of the real sets; None: where the configs say.
        seeds: number of seeds, from the config's own on.
        again: whether runs that are there count for nothing.
    """
    target = result_of(path)
    result = bound(path) | {"runs": []}
    if target.exists() and not again and holds(kept := read_json(target), result):
        result["runs"] = kept["runs"]
    config = load(path)
    for seed in range(config.seed, config.seed + seeds):
        if all(row["seed"] != seed for row in result["runs"]):
            result["runs"].append(run(path, config, seed, data))
            target.parent.mkdir(parents=True, exist_ok=True)
            write_json(target, result)
    return result


def timed_again(path: Path) -> Row:
    """Return the result of a config with the times of its files taken anew, and written.

    A file whose bundle is not here any more, or ships another, keeps its times.

    Args:
        path: the config.
    """
    target, config = result_of(path), load(path)
    result: Row = read_json(target) if target.exists() else {"runs": []}
    for row in result["runs"]:
        bundle = WORK / "exported" / name_of(config, row["seed"])
        if "failed" in row or not (bundle / "manifest.json").exists():
            continue
        manifest = Manifest.read(bundle / "manifest.json")
        if manifest.shipped_model.sha256 == row["file_sha256"]:
            row[CLOCK] = clocked(bundle, manifest.ships)
            write_json(target, result)
    return result


def result_of(path: Path) -> Path:
    """Return where the result of a config lies."""
    return RESULTS / "quality" / f"{path.stem}.json"


def name_of(config: Config, seed: int) -> str:
    """Return the name of a run, and of its bundle."""
    return f"{config.name}_seed{seed}" if seed != config.seed else config.name


def bound(path: Path) -> Row:
    """Return what a result is bound to."""
    return {
        "schema": SCHEMA,
        "form": FORM,
        "config": path.stem,
        "config_sha256": sha256_file(path),
        "command": f"make export CONFIG=configs/{path.name}",
        "packages": {name: version(name) for name in PACKAGES},
        "machine": machine(),
    }


def machine() -> Row:
    """Return what the times depend on."""
    own = describe_machine().dump()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {name: own[name] for name in MACHINE} | {"memory_gib": round(memory)}


def holds(kept: Row, now: Row) -> bool:
    """Tell whether a result is of the same config and versions."""
    return all(kept.get(name) == now[name] for name in BINDING)


def arena(bundle: Path, file: Path) -> int | None:
    """Return the memory that tflite-micro needs; None: it is not here, or cannot run the file."""
    if why_missing(MICRO) is not None:
        return None
    preprocess = Preprocess.read(bundle / "preprocess.json")
    with np.load(bundle / "golden.npz", allow_pickle=False) as golden:
        raw = {e.name: golden[f"input_{e.name}"] for e in preprocess.inputs}
    try:
        return run_file(file, preprocess, raw, runtime=MICRO).arena_bytes
    except PipelineError as error:
        print(f"{file}: {error}", file=sys.stderr)
        return None


BINDING = ("schema", "form", "config_sha256", "packages")


def run(path: Path, config: Config, seed: int, data: Path | None) -> Row:
    """Run a config, and return what came of it: figures, or why there is no bundle."""
    name = name_of(config, seed)
    command: list[Any] = [sys.executable, "-m", "pipeline", "run", path, "--runs", WORK / "runs"]
    command += ["--exported", WORK / "exported", "--set", f"seed={seed}", "--set", f"name={name}"]
    if data is not None and config.data.source.kind == "tfds":
        command += ["--set", f"data.source.data_dir={(data / 'tfds').resolve()}"]
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["?"])[-1]
        return {"seed": seed, "failed": f"exit {done.returncode}: {said}"}
    bundle = WORK / "exported" / name
    manifest = Manifest.read(bundle / "manifest.json")
    found = figures(manifest, BundleTimings.read(bundle / "timings.json"))
    found[CLOCK] = clocked(bundle, manifest.ships)
    if found["arena_bytes"] is None:
        found["arena_bytes"] = arena(bundle, bundle / manifest.shipped_model.file)
    return {"seed": seed, **found}


def clocked(bundle: Path, ships: str) -> Row:
    """Return how long the file that ships takes for one sample, or why it does not run."""
    (row,) = (row for row in bench(bundle, runtime=CLOCK) if row["format"] == ships)
    return {
        n: row[n] for n in ("version", "threads", "calls", "p50_ms", "p95_ms", "why") if n in row
    }


def figures(manifest: Manifest, timings: BundleTimings) -> Row:
    """Return what a bundle says of itself, as a row of results.

    Args:
        manifest: contents of manifest.json.
        timings: contents of timings.json.
    """
    shipped = manifest.shipped_model
    gated = task_of(manifest.task, str(manifest.config["task_metric"])).metric
    parity, baseline = shipped.parity, manifest.baseline
    compiled = next((i for i in shipped.targets.items() if i[1].npu_ops is not None), None)
    micro = shipped.runtimes.get("tflite-micro")
    robust = shipped.robustness or {}
    return {
        "data": {"name": manifest.data.name, **manifest.data.splits},
        "test_readings": manifest.data.test_readings,
        "metric": gated,
        "reference": manifest.reference.metrics[gated],
        "ships": manifest.ships,
        "file_sha256": shipped.sha256,
        "value": shipped.metrics[gated],
        "metrics": shipped.metrics,
        **{
            name: getattr(parity, name) for name in ("metric_drop", "metric_drop_ci95", "agreement")
        },
        **{name: getattr(shipped, name) for name in ("bytes", "bytes_gzip")},
        **{name: getattr(manifest.reference, name) for name in ("parameters", "macs")},
        "float_ops": len(shipped.float_ops_left),
        "rung": next((row["name"] for row in manifest.remedies if row["passed"]), None),
        "baseline": baseline and {"name": baseline.name, "value": baseline.metrics.get(gated)},
        **{name: robust.get(name) for name in ROBUST},
        "npu": compiled and {"target": compiled[0], **{n: getattr(compiled[1], n) for n in NPU}},
        "arena_bytes": None if micro is None else micro.arena_bytes,
        "seconds": sum(part.seconds for part in timings.stages.values()),
    }


ROBUST = (
    "epsilon", "robust_accuracy", "robust_ci95", "float_robust_accuracy", "robust_drop_ci95"
)  # fmt: skip
NPU = ("npu_ops", "cpu_ops", "sram_bytes", "latency_ms_estimate")


def line(name: str, row: Row) -> str:
    """Return a run as text."""
    if "failed" in row:
        return f"{name:<24} seed {row['seed']}  {row['failed']}"
    return (
        f"{name:<24} seed {row['seed']}  {row['metric']} {row['value']:.4f} (trained "
        f"{row['reference']:.4f})  {row['bytes']:,} bytes  {row['rung']}  {row['seconds']:.0f} s"
    )


if __name__ == "__main__":
    main()
