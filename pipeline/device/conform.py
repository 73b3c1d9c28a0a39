"""Conformance: run a bundle's golden vectors elsewhere, and compare the outputs."""

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array, Arrays
from pipeline.device.bundle_problems import file_problems, label_problems
from pipeline.device.golden import (
    KERNELS,
    MADE_BY,
    Finding,
    Golden,
    golden_outputs,
    judge,
    read_bundle_arrays,
    select_inputs,
)
from pipeline.device.measure import run_file
from pipeline.device.remote import Address, run_there
from pipeline.device.runtimes import require
from pipeline.documents.bundles import read_bundle
from pipeline.documents.manifest import Manifest, ModelFile
from pipeline.documents.preprocess import Preprocess
from pipeline.documents.signature import describe_signer
from pipeline.errors import ArtifactError, ConfigError, GateError
from pipeline.ondevice.assemble import PROGRAM_FILE

log = logging.getLogger(__name__)

PROGRAM = "run_on_device.py"
CODE_RUNTIME = "c"  # the compiled library around LiteRT, see conform_code.py
GOLDEN_RUNTIME = "litert"  # that made the golden outputs
COPIES = 4  # of the golden inputs: the first calls are slow, and equal inputs want equal outputs


@dataclass(frozen=True)
class Elsewhere:
    """The files that ran, and their outputs."""

    runtime: str
    """As the runner names it."""
    version: str
    place: str
    answers: Mapping[str, tuple[Arrays, float]]
    """Format -> raw outputs of all copies by name, and the seconds of the invocations."""
    refused: Mapping[str, str]
    """Format -> why it does not run there."""

    def milliseconds(self, form: str) -> float:
        """Return the time of one inference of a file."""
        outputs, seconds = self.answers[form]
        return 1000 * seconds / max(1, len(next(iter(outputs.values()))))


@dataclass(frozen=True)
class Conformance:
    """How a bundle did."""

    bundle: Path
    there: Elsewhere
    findings: Mapping[str, Finding]
    samples: int
    problems: tuple[str, ...]
    signer: str
    """Who signed the bundle, in words."""


def conform(
    bundle: Path, *, runtime: str = "litert", device: str | None = None, form: str | None = None
) -> Conformance:
    """Run a bundle's golden vectors elsewhere and compare.

    Args:
        bundle: exported/<name>; its files are checked against their hashes first.
        runtime: key of RUNTIMES, on this machine; c: the compiled C library around LiteRT.
        device: ssh://user@host:port, which runs the interpreter that it has; None: this machine.
        form: a format of the bundle; None: all.

    Raises:
        ArtifactError: the bundle is none, or was changed.
        ConfigError: an argument is wrong, or something is missing here or there.
    """
    address = None if device is None else Address.parse(device)
    with tempfile.TemporaryDirectory(prefix="edgeline_") as name:
        return _conform_copy(bundle, Path(name), runtime=runtime, address=address, form=form)


def _conform_copy(
    bundle: Path, copy: Path, *, runtime: str, address: Address | None, form: str | None
) -> Conformance:
    """Compare by a copy of the bytes that the bundle's hashes were checked on."""
    manifest = read_bundle(bundle, copy)
    by_code = address is None and runtime == CODE_RUNTIME
    form = manifest.ships if by_code and form is None else form
    models = _select_models(bundle, manifest, form)
    preprocess = Preprocess.read(copy / "preprocess.json")
    stored = read_bundle_arrays(copy / "golden.npz")
    raw = select_inputs(stored, preprocess)
    many = {name: np.concatenate([values] * COPIES) for name, values in raw.items()}
    files = {m.format: copy / m.file for m in models}
    problems: list[str] = []
    if by_code:
        there = _by_code(copy, manifest, preprocess, raw=many, form=form, problems=problems)
    elif address is None:
        require(runtime)
        there = _here(files, preprocess, many, runtime)
    else:
        there = _on_device(files, [_program(bundle), copy / "preprocess.json"], many, address)
    golden, samples = Golden(raw, preprocess), len(next(iter(raw.values())))
    findings = {
        m.format: judge(
            there.answers[m.format][0],
            golden_outputs(stored, m),
            m,
            golden=golden,
            runtime=there.runtime,
        )
        for m in models
        if m.format in there.answers
    }
    problems += [f"{name}: {found.problem}" for name, found in findings.items() if found.problem]
    problems += _refusals(there, set(files), form or manifest.ships)
    problems += file_problems(bundle, manifest)
    problems += label_problems(stored, preprocess, manifest)
    signer = describe_signer(bundle)
    return Conformance(bundle, there, findings, samples, tuple(problems), signer)


def _select_models(bundle: Path, manifest: Manifest, form: str | None) -> list[ModelFile]:
    """Return the files of a format; None: all."""
    models = [m for m in manifest.models if form in (None, m.format)]
    if not models:
        known = ", ".join(m.format for m in manifest.models)
        raise ConfigError(f"--format {form}: {bundle} has none; there are {known}")
    return models


def _refusals(there: Elsewhere, formats: set[str], wanted: str) -> list[str]:
    """Return which files do not run there, and have to."""
    # each of them ran on GOLDEN_RUNTIME when the bundle was made
    has_to_run = formats if there.runtime == GOLDEN_RUNTIME else {wanted}
    return [
        f"{name}: cannot be run there: {why}"
        for name, why in there.refused.items()
        if name in has_to_run
    ]


def _here(
    files: Mapping[str, Path],
    preprocess: Preprocess,
    raw: Mapping[str, Array],
    runtime: str,
) -> Elsewhere:
    """Run files on a runtime of this machine, a sample a call, as a device does."""
    answers, refused, version = {}, {}, ""
    for form, file in files.items():
        try:
            ran = run_file(file, preprocess, raw, runtime=runtime, batch=1)
        except ArtifactError as error:
            refused[form] = str(error).removeprefix(f"{file}: cannot be run on {runtime}: ")
            continue
        answers[form], version = (ran.raw_outputs, ran.seconds), ran.version
        log.info("          %s ran", file.name)
    return Elsewhere(runtime, version, "on this machine", answers, refused)


def _by_code(
    copy: Path,
    manifest: Manifest,
    preprocess: Preprocess,
    *,
    raw: Mapping[str, Array],
    form: str | None,
    problems: list[str],
) -> Elsewhere:
    """Run the shipped file between the compiled preprocessing and decision of its C library."""
    if form != manifest.ships:
        raise ConfigError(f"--format {form}: the C library is of the shipped {manifest.ships}")
    from pipeline.device import conform_code  # with the config: a quarter of conform's time

    work = copy / "compiled"
    work.mkdir()
    found = conform_code.run_code(copy, manifest, preprocess, raw=raw, work=work)
    problems += found.problems
    place = f"between C by {found.compiler}, on this machine"
    answers = {manifest.ships: (found.ran.raw_outputs, found.ran.seconds)}
    return Elsewhere(GOLDEN_RUNTIME, found.ran.version, place, answers, {})


def _on_device(
    files: Mapping[str, Path], more: list[Path], raw: Mapping[str, Array], address: Address
) -> Elsewhere:
    """Run files on a device, by the interpreter that is there."""
    ran = run_there(address, list(files.values()), more, raw=raw)
    by_form = {form: ran.results[file.name] for form, file in files.items()}
    done = [found for found in by_form.values() if not isinstance(found, str)]
    return Elsewhere(
        runtime=done[0].runtime if done else "no interpreter",
        version=done[0].version if done else "",
        place=f"on {address} ({ran.machine})",
        answers={f: (r.raw, r.seconds) for f, r in by_form.items() if not isinstance(r, str)},
        refused={form: found for form, found in by_form.items() if isinstance(found, str)},
    )


def _program(bundle: Path) -> Path:
    """Return the bundle's own runner, where it is this version's.

    Raises:
        ArtifactError: it is another, and would be executed on the device.
    """
    program = bundle / PROGRAM
    if program.read_bytes() != PROGRAM_FILE.read_bytes():
        raise ArtifactError(
            f"{program}: not the runner of this version, so that it is not executed on a device; "
            "publish it again: edgeline run CONFIG --force bundle"
        )
    return program


def table(found: Conformance) -> str:
    """Return how every file did, as lines."""
    there = found.there
    kernels = KERNELS.get(there.runtime, "unknown")
    same = "as" if kernels == MADE_BY else f"not {MADE_BY} as"
    lines = [
        f"{found.bundle.name} by {there.runtime} {there.version or '(ran nothing)'} {there.place}",
        f"{found.bundle.name}: {found.signer}",
        f"{found.samples} golden samples; kernels: {kernels}, {same} the golden outputs",
        "  format     decisions that differ   largest difference   ms per inference",
    ]
    for form, finding in found.findings.items():
        outputs = there.answers[form][0].values()
        is_integer = any(np.issubdtype(values.dtype, np.integer) for values in outputs)
        lines.append(
            f"  {form:<10} {finding.differ:>21}   {finding.distance:>14.3g} "
            f"{'LSB' if is_integer else '':<3}   {there.milliseconds(form):>16.3f}"
        )
    return "\n".join(lines + [f"  {form:<10} {why}" for form, why in there.refused.items()])


def facts(found: Conformance) -> dict[str, Any]:
    """Return how every file did, for programs."""
    there = found.there
    return {
        "bundle": str(found.bundle),
        "runtime": there.runtime,
        "version": there.version,
        "place": there.place,
        "signer": found.signer,
        "samples": found.samples,
        "conforms": not found.problems,
        "files": {
            form: {
                "differ": row.differ,
                "distance": float(row.distance),
                "problem": row.problem,
                "ms": there.milliseconds(form),
            }
            for form, row in found.findings.items()
        },
        "refused": dict(there.refused),
    }


def check(found: Conformance) -> None:
    """Raise an error that lists all deviations.

    Raises:
        GateError: the bundle does not conform; names every file and what to do.
    """
    if not found.problems:
        return
    what = f"{found.bundle} does not conform to its golden outputs"
    cure = "Try another version of the interpreter, or ship a format that conforms there."
    raise GateError("\n".join([*found.problems, f"{what}. {cure}"]))
