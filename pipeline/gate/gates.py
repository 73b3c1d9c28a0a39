"""GATES: every limit that a file can be compared with, in one table. Pure.

A new gate is a row here and a field of `pipeline.config.verify_schema.Gate`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pipeline.gate import remediation
from pipeline.gate.evidence import Evidence

# 1 in 20 is 0.05 and a bit in floating point; a value at its limit passes.
ROUNDING = 1e-9

Direction = Literal["at least", "at most", "more than"]


@dataclass(frozen=True)
class Gate:
    """One limit: what it is about, how its value is read, and what to try where it fails."""

    name: str
    """Key of the config's `gate` section."""
    direction: Direction
    """Which side of the limit passes."""
    unit: str
    """Of the value; empty: a fraction, or the metric's own."""
    meaning: str
    """What the value is, for the report."""
    read: Callable[[Evidence], float | None]
    """Reads the value; None: it was not measured."""
    remediation: Callable[[Evidence], str]
    """Says what to try where the gate fails."""
    is_judged_on_validation: bool = False
    """Whether the ladder judges its rungs by it, on the validation split."""
    is_required: bool = False
    """Whether a file without a value fails; else the gate is left out for it."""
    is_always_asked: bool = False
    """Whether the limit is 0 whatever the config says."""

    def passes(self, value: float, limit: float) -> bool:
        """Tell whether a value is on the right side of a limit."""
        if self.direction == "more than":
            return value - limit > ROUNDING
        excess = limit - value if self.direction == "at least" else value - limit
        return excess <= ROUNDING


def _parity(name: str) -> Callable[[Evidence], float | None]:
    """Return how a value of the file's `parity` is read."""
    return lambda file: getattr(file.measurement.parity, name)


def _read_metric(direction: Literal["up", "down"]) -> Callable[[Evidence], float | None]:
    """Return how the task's metric is read, where this direction is better."""
    return lambda file: file.metric if file.task.direction == direction else None


def _read_robust_drop(file: Evidence) -> float | None:
    row = file.robustness
    return None if row is None else row.float_robust_accuracy - row.robust_accuracy


def _read_robust_drop_upper(file: Evidence) -> float | None:
    row = file.robustness
    if row is None or not row.is_full or row.robust_drop_ci95 is None:
        return None
    return row.robust_drop_ci95[1]


GATES = {
    gate.name: gate
    for gate in (
        Gate(
            "gain_over_trivial",
            "more than",
            "",
            "how much better the metric is than without a model",
            lambda file: file.gain_over_trivial,
            remediation.beat_trivial,
        ),
        Gate(
            "skill_lower",
            "more than",
            "",
            "lower end of the 95 % interval of the skill: 0 is guessing, 1 is perfect",
            lambda file: file.measurement.skill_ci95[0],
            remediation.beat_guesses,
        ),
        Gate(
            "missing_classes",
            "at most",
            "classes",
            "classes without a sample or a prediction",
            lambda file: None if file.missing_classes is None else len(file.missing_classes),
            remediation.name_missing_classes,
        ),
        Gate(
            "metric_drop",
            "at most",
            "",
            "loss of the metric against the trained model",
            _parity("metric_drop"),
            remediation.improve_quantization,
            is_judged_on_validation=True,
        ),
        Gate(
            "auc_drop",
            "at most",
            "",
            "loss of the area under the ROC curve (AUC) against the trained model",
            _parity("auc_drop"),
            remediation.improve_ranking,
            is_judged_on_validation=True,
        ),
        Gate(
            "decision_drop",
            "at most",
            "",
            "loss of F1 at the decision threshold against the trained model",
            lambda file: file.decision_drop,
            remediation.improve_quantization,
        ),
        Gate(
            "agreement",
            "at least",
            "",
            "fraction of samples with the trained model's decision",
            _parity("agreement"),
            remediation.improve_quantization,
            is_judged_on_validation=True,
        ),
        Gate(
            "min_metric",
            "at least",
            "",
            "the metric itself",
            _read_metric("up"),
            remediation.improve_metric,
        ),
        Gate(
            "max_error",
            "at most",
            "",
            "the error itself",
            _read_metric("down"),
            remediation.improve_metric,
        ),
        Gate(
            "min_recording_auc",
            "at least",
            "",
            "AUC over whole recordings",
            lambda file: file.measurement.metrics.get("recording_auc"),  # of windows only
            remediation.improve_metric,
        ),
        Gate(
            "metric_drop_upper",
            "at most",
            "",
            "upper end of the 95 % interval of the metric drop",
            lambda file: file.measurement.parity.metric_drop_ci95[1],
            remediation.narrow_interval,
        ),
        Gate(
            "worst_class_drop",
            "at most",
            "",
            "largest loss of recall of one class",
            _parity("worst_class_drop"),
            remediation.name_worst_class,
            is_judged_on_validation=True,
        ),
        Gate(
            "worst_group_drop",
            "at most",
            "",
            "largest loss of the metric in one group",
            lambda file: None if file.worst_group is None else file.worst_group[1],
            remediation.name_worst_group,
        ),
        Gate(
            "output_sqnr_db",
            "at least",
            "dB",
            "signal-to-quantization-noise ratio of the outputs",
            _parity("output_sqnr_db"),
            remediation.improve_quantization,
        ),
        Gate(
            "calibration_error",
            "at most",
            "",
            "expected calibration error (ECE)",
            _parity("calibration_error"),
            remediation.improve_calibration,
        ),
        Gate(
            "latency_ms",
            "at most",
            "ms",
            "largest latency that an NPU's compiler estimates",
            lambda file: file.latency_ms,
            remediation.shrink_compute,
        ),
        Gate(
            "min_robust_accuracy",
            "at least",
            "",
            "accuracy under all attacks together",
            lambda file: None if file.robustness is None else file.robustness.robust_accuracy,
            remediation.harden_more,
        ),
        Gate(
            "robust_drop",
            "at most",
            "",
            "loss of robust accuracy against the trained model",
            _read_robust_drop,
            remediation.keep_robustness,
        ),
        Gate(
            "robust_drop_upper",
            "at most",
            "",
            "upper end of the 95 % interval of the robust drop",
            _read_robust_drop_upper,
            remediation.narrow_robust_interval,
        ),
        Gate(
            "float_ops",
            "at most",
            "operations",
            "operations left in float",
            lambda file: len(file.entry["float_ops_left"]),
            remediation.avoid_float,
            is_judged_on_validation=True,
        ),
        Gate(
            "max_runtime_disagreement",
            "at most",
            "samples",
            "decisions of another runtime that differ from LiteRT's",
            lambda file: file.worst_runtime[1].disagreements,
            remediation.name_worst_runtime,
        ),
        Gate(
            "device_code",
            "at most",
            "samples",
            "samples that the C library prepares or decides otherwise than Python",
            lambda file: file.device_code_disagreements,
            remediation.report_device_code,
        ),
        Gate(
            "bytes",
            "at most",
            "bytes",
            "size of the file",
            lambda file: file.entry["bytes"],
            remediation.shrink_model,
            is_judged_on_validation=True,
        ),
        Gate(
            "arena_bytes",
            "at most",
            "bytes",
            "working memory on tflite-micro",
            lambda file: file.arena_bytes,
            remediation.shrink_arena,
            is_required=True,
        ),
        Gate(
            "audit_checks",
            "at most",
            "checks",
            "failed checks of the attacks themselves",
            lambda file: None if file.failed_checks is None else len(file.failed_checks),
            remediation.repair_attack,
            is_always_asked=True,
        ),
    )
}
