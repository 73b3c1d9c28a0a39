"""What to try where a gate fails: one short text a gate, from what was measured. Pure."""

from pipeline.gate.evidence import Evidence

FINER = ("int16x8", "float16", "float32")  # from the smallest on
SHOWN = 5  # operations in float
MORE_DATA = "more data.calibration_samples"


SHOWN = 5  # classes that are named
RANKED = 0.6  # AUC from which scores tell classes apart, whatever the decisions say


def beat_trivial(file: Evidence) -> str:
    """Name the trivial prediction that is as good, and what tells whether anything was learned."""
    name, metric = file.best_trivial
    said = f"Predicting {name} has {file.task.metric} {metric:.4f}, the file {file.metric:.4f}. "
    found = file.measurement.metrics.get("auc", 0.5)
    if file.task.metric != "auc" and found >= RANKED:
        return (
            f"{said}Its scores tell the classes apart (AUC {found:.3f}), its decisions do not. Try "
            "task_metric: auc or train.class_weights: balanced."
        )
    return f"{said}{improve_metric(file)}"


def beat_guesses(file: Evidence) -> str:
    """Give the skill with its interval."""
    low, high = file.measurement.skill_ci95
    return (
        f"The skill is {file.measurement.skill:.3f} ({low:.3f} to {high:.3f}), 0 is guessing: "
        f"{file.parity.samples} samples do not show that anything was learned. "
        f"{improve_metric(file)}"
    )


def name_missing_classes(file: Evidence) -> str:
    """Name the classes, and how to find or to allow them."""
    found = file.missing_classes or {}
    named = "; ".join(f"{name}: {why}" for name, why in list(found.items())[:SHOWN])
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return (
        f"{named}{more}. Try more samples of them, train.class_weights: balanced, or, where that "
        f"is no loss, gate.missing_classes: [{', '.join(list(found)[:SHOWN])}]."
    )


def improve_quantization(file: Evidence) -> str:
    """Name the noisiest layer, and a format that this run measured to be closer."""
    worst = file.measurement.parity.worst_layer
    layer = f"Worst layer: {worst.name} ({worst.sqnr_db:.1f} dB). " if worst else ""
    return f"{layer}{_closer_format(file)}"


def improve_ranking(file: Evidence) -> str:
    """Name the smallest format of this run that halves the loss, or the one that ranks best."""
    own = file.measurement.parity.auc_drop
    drops = {
        row.format: row.parity.auc_drop
        for row in file.parity.files.values()
        if row.format in FINER and row.parity.auc_drop is not None
    }
    best = min(drops, key=lambda form: drops[form], default=None)
    if own is not None:
        best = next((form for form in FINER if form in drops and drops[form] <= own / 2), best)
    if own is not None and best is not None and drops[best] < own:
        return (
            "The file gives equal scores to samples that the trained model ranks apart. Try "
            f"export.ships: {best} (AUC drop {drops[best]:.4f} in this run, here {own:.4f})."
        )
    return improve_quantization(file)


def _closer_format(file: Evidence) -> str:
    """Name the smallest format that agrees more and loses no more; else say that none does."""
    own, rows = file.measurement.parity, {row.format: row for row in file.parity.files.values()}
    for form in FINER:
        if form not in rows or form == file.entry["format"]:
            continue
        other = rows[form].parity
        if other.agreement > own.agreement and other.metric_drop <= own.metric_drop:
            return (
                f"Try export.ships: {form} (agreement {other.agreement:.3f} in this run, here "
                f"{own.agreement:.3f}), or {MORE_DATA}."
            )
    others = [form for form in FINER if form in rows and form != file.entry["format"]]
    if others:
        return f"No finer format of this run is closer ({', '.join(others)}). Try {MORE_DATA}."
    return f"This run measured no finer format; export.formats adds one. Try {MORE_DATA}."


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


def report_device_code(file: Evidence) -> str:
    """Say that the user cannot mend it, and how to go on."""
    row = file.parity.device_code
    by = "" if row is None else f" as {row.compiler} compiles it"
    return (
        f"The C library computes otherwise than run_on_device.py{by}: a bug, please report it. "
        "gate.device_code: null ships the bundle; then do not use its device/ folder."
    )


def avoid_float(file: Evidence) -> str:
    """Name the float operations."""
    rows = [f"{row['op']} ({row['why']})" for row in file.entry["float_ops_left"]]
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return f"In float: {'; '.join(rows[:SHOWN])}{more}. Try another activation or layer for them."


def shrink_model(file: Evidence) -> str:
    """Name what lowers the number of weights."""
    return "Try fewer model.filters or model.dense units."


def name_worst_runtime(file: Evidence) -> str:
    """Name the runtime whose decisions differ most often from LiteRT's."""
    name, row = file.worst_runtime
    apart = "" if row.max_abs_lsb is None else f", by up to {row.max_abs_lsb} LSB"
    same = {r.format: r.runtimes[name] for r in file.parity.files.values() if name in r.runtimes}
    better = [
        form for form in FINER if form in same and same[form].disagreements < row.disagreements
    ]
    finer = (
        f"export.ships: {better[0]} ({same[better[0]].disagreements} in this run), or "
        if better
        else ""
    )
    return (
        f"{name} ({row.kernels} kernels) decides {row.disagreements} of {file.parity.samples} "
        f"samples differently from litert{apart}. Try {finer}another layer or activation, or "
        "remove that runtime from verify.runtimes if the file will not run there."
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
