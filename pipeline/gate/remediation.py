"""What to try where a gate fails: one short text a gate, from what was measured. Pure."""

from pipeline.gate.evidence import Evidence

FINER = {  # format -> what is closer to the trained model
    "int8": "export.ships: int16x8, or more data.calibration_samples",
    "int16x8": "export.ships: float16, or more data.calibration_samples",
    "dynamic": "export.ships: float16",
    "float16": "export.ships: float32, or more data.calibration_samples",
    "float32": "another layer or activation: the conversion changed the outputs, not the rounding",
}


def improve_quantization(file: Evidence) -> str:
    """Name the noisiest layer and a finer format."""
    worst = file.measurement.parity.worst_layer
    layer = f"Worst layer: {worst.name} ({worst.sqnr_db:.1f} dB). " if worst else ""
    return f"{layer}Try {FINER[file.entry['format']]}."


def name_worst_class(file: Evidence) -> str:
    """Name the class that loses the most recall."""
    worst = file.measurement.parity.worst_class
    return f"Class {worst} loses most; {improve_quantization(file)}"


def name_worst_group(file: Evidence) -> str:
    """Name the group that loses most of the metric."""
    worst, _ = file.worst_group or ("", 0.0)
    return f"Group {worst} loses most; {improve_quantization(file)}"


def narrow_interval(file: Evidence) -> str:
    """Ask for more test samples."""
    return f"More test samples narrow the interval. {improve_quantization(file)}"


def improve_metric(file: Evidence) -> str:
    """Point to the report's advice."""
    return f"The report's advice says what limits {file.task.metric}: data, training or the model."


def improve_calibration(file: Evidence) -> str:
    """Name what lowers the confidence."""
    return (
        "The model is overconfident. Try train.label_smoothing: 0.1, data.augment, or fewer "
        "train.epochs."
    )


def shrink_compute(file: Evidence) -> str:
    """Name what lowers the latency."""
    return "Try fewer model.filters or units, or a family with fewer multiply-accumulates."


def harden_more(file: Evidence) -> str:
    """Name what raises the robust accuracy."""
    return "Try harden with more epochs or attack.steps, harden.mode: trades, or a wider network."


def keep_robustness(file: Evidence) -> str:
    """Name what lowers the loss of robust accuracy."""
    return (
        "Try harden with more epochs, or gate.robust_drop within the interval that the report "
        "shows."
    )


def narrow_robust_interval(file: Evidence) -> str:
    """Ask for more attacked samples."""
    return f"More audit.samples narrow the interval. {keep_robustness(file)}"


def repair_attack(file: Evidence) -> str:
    """Name the checks that failed, and stronger attacks."""
    failed = [
        f"{row.name} ({row.on}: {row.value:.3g}, at most {row.limit:.3g}; it is the {row.meaning})"
        for row in file.failed_checks or ()
    ]
    return (
        f"The attack cannot be trusted: {'; '.join(failed)}. Try more audit.steps, "
        "audit.restarts or audit.samples. If the check still fails, the model masks its gradients "
        "and its robustness is unknown."
    )


def avoid_float(file: Evidence) -> str:
    """Say where the float operations are listed."""
    return (
        "float_ops_left of the manifest names each operation; try another activation or layer for "
        "them."
    )


def shrink_model(file: Evidence) -> str:
    """Name what lowers the number of weights."""
    return "Try fewer model.filters or model.dense units."


def name_worst_runtime(file: Evidence) -> str:
    """Name the runtime whose decisions differ most often from LiteRT's."""
    name, row = file.worst_runtime
    apart = "" if row.max_abs_lsb is None else f", by up to {row.max_abs_lsb} LSB"
    return (
        f"{name} ({row.kernels} kernels) decides {row.disagreements} of {file.parity.samples} "
        f"samples differently from litert{apart}. Try export.ships: int16x8, or remove that "
        "runtime from verify.runtimes if the file will not run there."
    )


def shrink_arena(file: Evidence) -> str:
    """Name what lowers the working memory, or why it is unknown."""
    if file.arena_bytes is None:
        return (
            f"tflite-micro did not run the file: {file.no_arena}. Try another layer or activation."
        )
    return (
        "Try fewer model.filters in the first layers, model.strides: 2, smaller inputs, or fewer "
        "layers: each tensor and operation takes some memory."
    )
