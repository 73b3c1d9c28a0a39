"""Edgeline from Python, for notebooks and scripts: run a config, load a bundle, ask it.

    from pipeline.api import load_bundle, run

    done = run("configs/digits_cnn.yaml", overrides={"train.epochs": 3})
    bundle = load_bundle(done.bundle)
    bundle.predict(images)

A notebook shows results as tables; `repr` is one line. TensorFlow is loaded only when it is used.
"""

import contextlib
import json
import logging
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import escape

from pipeline.artifacts import MANIFEST, write_arrays
from pipeline.device.measure import run_file
from pipeline.device.predict import predict
from pipeline.documents.bundles import read_bundle
from pipeline.documents.manifest import Manifest, ModelFile
from pipeline.documents.preprocess import Preprocess
from pipeline.documents.stages import StageManifest
from pipeline.documents.verdict import Verdict
from pipeline.errors import ConfigError, GateError
from pipeline.escape import terminal
from pipeline.platform_check import check_platform
from pipeline.run_summary import check_verdict, figure
from pipeline.terminal import set_output_form

if TYPE_CHECKING:
    from pipeline.config.schema import Config

LAST = "bundle"

SHOWN = ("input", "decision", "confidence", "why")  # of a prediction


@dataclass(frozen=True)
class Result:
    """The result of a run."""

    name: str
    task: str
    passed: bool | None
    """Whether every gate holds; None where the run ended before they were judged."""
    ships: str | None
    """Format of the shipped model, or of the one that would ship."""
    metrics: Mapping[str, Mapping[str, float]]
    """Stage -> name -> value, of every stage that is done."""
    why: str
    """The message of the failed gates; empty where all hold."""
    folder: Path
    """The run folder."""
    bundle: Path | None
    """Folder of the bundle; None where none was published."""
    report: Path | None
    """The page about the run; None where it ended before."""

    def __repr__(self) -> str:
        """Return one line."""
        verdict = {True: f"{self.ships} ships", False: "nothing ships", None: "not judged"}
        return f"Result({self.name}: {verdict[self.passed]}; {self.folder})"

    def _repr_html_(self) -> str:
        """Return the verdict and a table of what each stage measured."""
        rows = "".join(
            f"<tr><th scope=row>{escape(stage)}</th><td>{escape(_listed(values))}</td></tr>"
            for stage, values in self.metrics.items()
        )
        why = f"<pre>{escape(self.why)}</pre>" if self.why else ""
        return f"<p><b>{escape(repr(self))}</b></p>{why}<table>{rows}</table>"


@dataclass(frozen=True)
class Predictions(Sequence[dict[str, Any]]):
    """The predictions of a bundle: {input, decision, confidence, top, why} for each sample."""

    rows: tuple[dict[str, Any], ...]

    def __getitem__(self, index: Any) -> Any:
        """Return the prediction for one sample, or for a slice of them."""
        return Predictions(self.rows[index]) if isinstance(index, slice) else self.rows[index]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.rows)

    @property
    def decisions(self) -> list[Any]:
        """Return the decision for each sample."""
        return [row["decision"] for row in self.rows]

    def _repr_html_(self) -> str:
        """Return a row a sample."""
        body = "".join(
            f"<tr><th scope=row>{escape(path)}</th><td>{escape(decision)}</td>"
            f"<td>{escape(figure(confidence))}</td><td>{escape('; '.join(why))}</td></tr>"
            for path, decision, confidence, why in map(itemgetter(*SHOWN), self.rows)
        )
        heads = "".join(f"<th>{name}</th>" for name in SHOWN)
        return f"<table><tr>{heads}</tr>{body}</table>"


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files were checked against their hashes."""

    path: Path
    manifest: Manifest = field(repr=False)

    @property
    def name(self) -> str:
        """Its name."""
        return self.manifest.name

    @property
    def shipped_model(self) -> ModelFile:
        """The manifest's row of the shipped model."""
        return self.manifest.shipped_model

    def predict(self, samples: object, *, runtime: str = "litert") -> Predictions:
        """Predict samples as the device would, with the on-device runner in its own process.

        Args:
            samples: an array of raw samples (N, *shape); name -> array where there are several
                inputs; or the path of a file, or several, of the kind that the model takes.
            runtime: key of RUNTIMES.

        Raises:
            ConfigError: a sample does not fit the model input; the message says what is wanted.
        """
        if isinstance(samples, str | Path):
            return Predictions(tuple(predict(self.path, [Path(samples)], runtime=runtime)))
        if isinstance(samples, list | tuple) and all(isinstance(s, str | Path) for s in samples):
            return Predictions(tuple(predict(self.path, list(map(Path, samples)), runtime=runtime)))
        with tempfile.TemporaryDirectory(prefix="edgeline_") as folder:
            file = Path(folder) / "samples.npz"
            write_arrays(file, self._named(samples))
            rows = predict(self.path, [file], runtime=runtime)
        return Predictions(tuple(row | {"input": f"sample {i}"} for i, row in enumerate(rows)))

    def outputs(self, samples: object, *, form: str | None = None, runtime: str = "litert") -> Any:
        """Return the model's outputs by name, float32: probabilities, or values to be scaled.

        Args:
            samples: an array of raw samples, or name -> array.
            form: a format of the bundle; None: the one that ships.
            runtime: key of RUNTIMES.
        """
        wanted = self.manifest.ships if form is None else form
        files = {model.format: model.file for model in self.manifest.models}
        if wanted not in files:
            raise ConfigError(f"form {wanted!r}: {self.path} has {', '.join(files)}")
        preprocess = Preprocess.read(self.path / "preprocess.json")
        found = run_file(
            self.path / files[wanted], preprocess, self._named(samples), runtime=runtime
        )
        return found.outputs

    def show(self) -> None:
        """Print the metrics of the bundle."""
        sys.stdout.write(terminal(self._text()) + "\n")

    def _named(self, samples: object) -> dict[str, Any]:
        """Return the samples by input."""
        import numpy as np

        preprocess = Preprocess.read(self.path / "preprocess.json")
        names = [entry.name for entry in preprocess.inputs]
        if isinstance(samples, Mapping):
            lacking = sorted(set(names) ^ set(samples))
            if lacking:
                wanted = ", ".join(names)
                raise ConfigError(f"samples: wanted {wanted}; {', '.join(lacking)} does not fit")
            return {name: np.asarray(samples[name]) for name in names}
        if len(names) > 1:
            raise ConfigError(f"samples: wanted a mapping with {', '.join(names)}; came one array")
        return {names[0]: np.asarray(samples)}

    def _text(self) -> str:
        from pipeline.report.show import show

        return show(self.path)

    def __repr__(self) -> str:
        """Return one line."""
        row = self.shipped_model
        return f"Bundle({self.name}: {row.file}, {row.bytes} bytes; {self.path})"

    def _repr_html_(self) -> str:
        """Return what `edgeline show` says."""
        return f"<p><b>{escape(repr(self))}</b></p><pre>{escape(self._text())}</pre>"


def run(
    config: str | Path,
    *,
    until: str = LAST,
    force: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    runs: str | Path = "runs",
    exported: str | Path = "exported",
    quiet: bool = False,
) -> Result:
    """Execute a config, skipping fresh stages; the result says whether a gate failed.

    Args:
        config: a YAML file.
        until: last stage.
        force: stage from which on nothing counts as fresh; None: none.
        overrides: dotted key -> value, as `--set` takes them.
        runs: folder of working artifacts.
        exported: folder of bundles.
        quiet: say nothing on the way.

    Raises:
        ConfigError: config, data or arguments are wrong, or this is native Windows.
        ArtifactError: an artifact does not match its hash.
    """
    check_platform()
    from pipeline.config.load import load
    from pipeline.executor import Run
    from pipeline.stages import NAMES
    from pipeline.tracking import tracked_chain

    for what, name in (("until", until), ("force", force)):
        if name is not None and name not in NAMES:
            raise ConfigError(f"{what}={name!r}: wanted a stage: {', '.join(NAMES)}")
    path = Path(config)
    given = [f"{key}={json.dumps(value)}" for key, value in (overrides or {}).items()]
    own = Run(load(path, given), path.parent, Path(runs), Path(exported))
    with _saying(quiet=quiet), contextlib.suppress(GateError):
        tracked_chain(own, until=until, force=force)
    return _result(own.config, own.folder, Path(exported), until)


def load_bundle(path: str | Path) -> Bundle:
    """Return a bundle, when its files are those that it describes.

    Raises:
        ArtifactError: it is no bundle, or a file was changed or is missing.
        ConfigError: this is native Windows.
    """
    check_platform()
    folder = Path(path)
    return Bundle(folder, read_bundle(folder))


@contextlib.contextmanager
def _saying(*, quiet: bool) -> Iterator[None]:
    """Write stage lines to stderr for a while, unless the caller has logging of its own."""
    if logging.getLogger().handlers and not quiet:
        yield
        return
    with set_output_form("quiet" if quiet else "plain"):
        yield


def _result(config: "Config", folder: Path, exported: Path, until: str) -> Result:
    """Read what the stages up to `until` left behind."""
    from pipeline.stages import NAMES

    reached = NAMES[: NAMES.index(until) + 1]
    metrics = {
        name: {m.name: m.value for m in StageManifest.read(folder / name / MANIFEST).metrics}
        for name in reached
        if getattr(config, name, name) is not None and (folder / name / MANIFEST).is_file()
    }
    verdict = Verdict.read(folder / "gate" / "verdict.json") if "gate" in metrics else None
    why = ""
    try:
        if verdict is not None:
            check_verdict(folder / "gate" / "verdict.json")
    except GateError as error:
        why = str(error)
    passed = None if verdict is None else verdict.passed
    return Result(
        name=config.name,
        task=config.task,
        passed=passed,
        ships=None if verdict is None else verdict.ships,
        metrics=metrics,
        why=why,
        folder=folder,
        bundle=exported / config.name if until == LAST and passed else None,
        report=folder / "report" / "report.html" if "report" in metrics else None,
    )


def _listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:,.6g}" for name, value in values.items())
