"""What the documents of a run say about one file, as the gates need it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.documents.audit import Audit
from pipeline.documents.evasion import Check, FileRobustness
from pipeline.documents.parity import FileResult, Parity, RuntimeResult
from pipeline.tasks.task import Task, metric_drop

MICRO = "tflite-micro"


@dataclass(frozen=True)
class Evidence:
    """Everything that was measured of one file."""

    task: Task
    """Says the metric and its direction."""
    entry: Mapping[str, Any]
    """The file's row of files.json."""
    parity: Parity
    """parity.json."""
    targets: Sequence[Mapping[str, Any]]
    """Rows of files.json's targets, of all files."""
    audit: Audit | None
    """audit.json; None: no audit ran."""
    allowed_missing: Sequence[str] = ()
    """Classes that may have no sample or prediction."""

    @property
    def measurement(self) -> FileResult:
        """The file's row of parity.json."""
        return self.parity.files[self.entry["file"]]

    @property
    def metric(self) -> float:
        """The task's metric on the samples of `verify.split`."""
        return self.measurement.metrics[self.task.metric]

    @property
    def best_trivial(self) -> tuple[str, float]:
        """The best prediction that takes no model, and its metric."""
        sign = 1 if self.task.direction == "up" else -1
        found = self.parity.trivial
        best = max(found, key=lambda name: sign * found[name])
        return best, found[best]

    @property
    def gain_over_trivial(self) -> float:
        """How much better the metric is than that of the best trivial prediction."""
        metric = self.task.metric
        return metric_drop(self.task, {metric: self.metric}, {metric: self.best_trivial[1]})

    @property
    def missing_classes(self) -> dict[str, str] | None:
        """Class -> why it is missing and may not be; None: there are no classes."""
        found = self.measurement.missing_classes
        if found is None:
            return None
        return {name: why for name, why in found.items() if name not in self.allowed_missing}

    @property
    def robustness(self) -> FileRobustness | None:
        """The file's row of audit.json; None: it was not attacked."""
        return None if self.audit is None else self.audit.files.get(self.entry["file"])

    @property
    def decision_drop(self) -> float | None:
        """How much lower F1 is at the decision threshold; None: there is no threshold."""
        found = self.parity.decision
        if found is None:
            return None
        return found.models["reference"].f1 - found.models[self.entry["format"]].f1

    @property
    def latency_ms(self) -> float | None:
        """The largest latency that a target's compiler estimates; None: none does."""
        times = [
            row["latency_ms_estimate"]
            for row in self.targets
            if row["format"] == self.entry["format"] and row["latency_ms_estimate"] is not None
        ]
        return max(times, default=None)

    @property
    def worst_group(self) -> tuple[str, float] | None:
        """The group of samples with the largest metric drop, and that drop; None: no groups."""
        if self.parity.groups is None:
            return None
        drops = {
            name: metric_drop(
                self.task, row.metrics["reference"], row.metrics[self.entry["format"]]
            )
            for name, row in self.parity.groups.values.items()
        }
        worst = max(drops, key=lambda name: drops[name])
        return worst, drops[worst]

    @property
    def worst_runtime(self) -> tuple[str, RuntimeResult]:
        """The runtime whose decisions differ most often from LiteRT's, and its row."""
        rows = self.measurement.runtimes
        worst = max(rows, key=lambda name: rows[name].disagreements)
        return worst, rows[worst]

    @property
    def device_code_disagreements(self) -> int | None:
        """Samples that the file's C library treats otherwise; None: it was not compared."""
        row = self.parity.device_code
        return None if row is None or row.file != self.entry["file"] else row.disagreements

    @property
    def arena_bytes(self) -> int | None:
        """The working memory on tflite-micro; None: it did not run the file."""
        row = self.measurement.runtimes.get(MICRO)
        return None if row is None else row.arena_bytes

    @property
    def no_arena(self) -> str:
        """Why tflite-micro did not run the file."""
        item = f"{self.entry['file']} on {MICRO}"
        skipped = self.parity.skipped
        return next((row.reason for row in skipped if row.item == item), "it was not asked")

    @property
    def failed_checks(self) -> list[Check] | None:
        """The checks of the attacks that failed; None: the file was not attacked.

        The checks on the shipped file say nothing of the other files, which only get the
        adversarial examples of the reference.
        """
        if self.audit is None or self.robustness is None:
            return None
        models = ("reference", "file") if self.robustness.is_full else ("reference",)
        return [row for row in self.audit.checks if row.on in models and not row.passed]
