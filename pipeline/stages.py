"""The stage table, in order: what each stage reads and writes, and what makes it stale.

executor.py runs them. Nothing heavy here: the command line reads this table, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.config.schema import Config

TRAINING = ("edgeline", "tensorflow", "keras")
EXPORT = (*TRAINING, "tf-keras", "ai-edge-litert", "ai-edge-quantizer", "ethos-u-vela")


@dataclass(frozen=True)
class Stage:
    """One row of the table: what a stage reads and writes, and what makes it stale."""

    name: str
    does: str
    """What it does, as the command line shows it."""
    reads: tuple[str, ...]
    writes: Mapping[str, tuple[str, ...]]
    """Kind -> patterns of its files."""
    sections: tuple[str, ...] | None
    """Config sections that change the result; None: all."""
    optional: tuple[str, ...] = ()
    """Kinds that are read where a stage wrote them."""
    packages: tuple[str, ...] = TRAINING
    """Distributions whose version changes the result."""

    @property
    def module(self) -> str:
        """Where its `run` lives."""
        return ".".join(("pipeline", "models" if self.name == "build" else self.name, "stage"))


SPEC = ("spec.json", "start.keras")
REFERENCE = ("model.keras", "decision.json", "threshold.json")
TUNED = (
    "tune", "train", "model", "task", "task_metric", "seed", "data", "export", "compress", "audit",
    "harden",
)  # fmt: skip
COMPRESSED = (
    "compress", "export", "gate", "verify", "task", "task_metric", "seed", "train", "data",
    "harden",
)  # fmt: skip
STAGES = (
    Stage(
        "data",
        "prepare the samples and cut them into train, validation and test",
        (),
        {"dataset": ("dataset.json", "preprocess.json", "splits.npz", "figures.npz", "*.npy")},
        ("data", "task", "seed"),
    ),
    Stage(
        "baseline",
        "score classical models on the same split",
        ("dataset",),
        {"baseline": ("baseline.json", "outputs.npz")},
        ("baseline", "verify", "task", "task_metric", "seed"),
    ),
    Stage(
        "build",
        "describe the model and check its budget before any training",
        ("dataset",),
        {"spec": SPEC, "budget": ("budget.json",)},
        ("model", "task", "task_metric", "seed", "export"),
    ),
    Stage(
        "tune",
        "search hyper-parameters",
        ("dataset", "spec"),
        {"spec": SPEC, "budget": ("budget.json",), "trials": ("trials.*", "trained.npz")},
        TUNED,
        packages=EXPORT,
    ),
    Stage(
        "train",
        "train the network",
        ("dataset", "spec"),
        {
            "reference": REFERENCE,
            "history": (
                "history.csv",
                "warnings.json",
                "learning.json",
                "pretraining.json",
                "distillation.json",
                "range_test.json",
            ),
        },
        ("train", "task", "seed", "data", "decision"),
        optional=("trials",),
    ),
    Stage(
        "harden",
        "fine-tune on adversarial examples",
        ("dataset", "reference"),
        {"reference": REFERENCE, "robustness": ("robustness.json", "history.csv")},
        ("harden", "train", "task", "seed", "data", "decision"),
    ),
    Stage(
        "compress",
        "decide how every tensor is quantized",
        ("dataset", "spec", "reference"),
        {
            "model": (*REFERENCE, "qat.keras"),
            "recipe": ("recipe.json", "calibration.npz"),
            "ladder": ("ladder.json", "weights.json"),
        },
        COMPRESSED,
        packages=(*EXPORT, "tensorflow-model-optimization"),
    ),
    Stage(
        "export",
        "write the .tflite files, compiled variants and C sources",
        ("dataset", "spec", "reference", "model", "recipe"),
        {"files": ("files.json", "*.tflite", "*.cc", "*.h", "encoder.keras")},
        ("export",),
        packages=EXPORT,
    ),
    Stage(
        "verify",
        "measure every file against the trained model",
        ("dataset", "reference", "files"),
        {"parity": ("parity.json", "golden.npz", "figures.npz", "predictions.npz")},
        ("verify", "task", "task_metric", "seed"),
        optional=("baseline",),
        packages=EXPORT,
    ),
    Stage(
        "audit",
        "attack every file",
        ("dataset", "spec", "reference", "model", "files"),
        {"audit": ("audit.json", "figures.npz")},
        ("audit", "harden", "verify", "task", "seed", "train", "data", "export"),
        packages=EXPORT,
    ),
    Stage(
        "gate",
        "judge the measurements",
        ("files", "parity", "budget"),
        {"verdict": ("verdict.json",)},
        ("gate", "task", "task_metric"),
        optional=("audit",),
    ),
    Stage(
        "report",
        "write report.html and MODEL_CARD.md",
        ("dataset", "spec", "budget", "history", "ladder", "files", "parity", "verdict"),
        {"report": ("report.html", "MODEL_CARD.md", "advice.json")},
        ("name", "seed", "report", "task", "data", "baseline", "model", "train", "harden", "gate"),
        optional=("baseline", "trials", "robustness", "audit"),
    ),
    Stage(
        "bundle",
        "publish exported/<name>/ when every gate passed",
        (
            "dataset",
            "spec",
            "budget",
            "reference",
            "history",
            "ladder",
            "files",
            "parity",
            "verdict",
            "report",
        ),
        {"bundle": ("bundle.json",)},
        None,
        optional=("baseline", "audit", "robustness"),
    ),
)
NAMES = tuple(stage.name for stage in STAGES)


def is_enabled(stage: Stage, config: "Config") -> bool:
    """Tell whether a stage runs: a section set to null is a stage that is off."""
    return getattr(config, stage.name, stage) is not None


def writer_of(kind: str, stages: list[Stage], before: Stage) -> Stage | None:
    """Return the latest stage ahead of `before` that writes `kind`."""
    ahead = stages[: stages.index(before)]
    return next((stage for stage in reversed(ahead) if kind in stage.writes), None)
