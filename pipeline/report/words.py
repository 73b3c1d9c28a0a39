"""How the report writes numbers, metrics and gates, and its first sentence."""

from pipeline.documents.files import FileEntry
from pipeline.documents.ladder import Weights
from pipeline.documents.manifest import Compression
from pipeline.documents.parity import Parity
from pipeline.gate.gates import GATES
from pipeline.report.gather import Documents

WORTHLESS = {  # gate -> what its failure says first
    "gain_over_trivial": "is no better than {name}",
    "skill_lower": "is not shown to be better than guessing",
    "missing_classes": "lacks classes",
}
PERCENT = ("accuracy", "macro_f1", "f1", "precision", "recall")
NAMES = {
    "r2": "R²",
    "auc": "AUC",
    "mae": "MAE",
    "rmse": "RMSE",
    "relative_mae": "MAE relative to the naive forecast",
    "macro_f1": "macro-F1",
    "accuracy": "accuracy",
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "recording_auc": "AUC over recordings",
}


def gate_means(name: str) -> str:
    """Return the meaning of a gate's value, with its unit."""
    gate = GATES[name]
    return f"{gate.meaning}, {gate.unit}" if gate.unit in ("dB", "ms", "bytes") else gate.meaning


def figure(name: str, value: float | None) -> str:
    """Return a metric as people read it: 98.6 %, 0.512."""
    if value is None:
        return "–"
    return f"{100 * value:.1f} %" if name in PERCENT else number(value)


def number(value: float) -> str:
    """Return a number as a person writes it."""
    if abs(value) >= 1e6:
        return f"{value:.3g}".replace("e+0", "e").replace("e+", "e")
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def format_gate(value: float | None) -> str:
    """Return what a gate judges, or its limit: counts in full, measurements to four digits."""
    if value is None:
        return "not measured"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if abs(value) >= 1 or value == 0 else f"{value:.4f}"


def class_name(documents: Documents, label: int) -> str:
    """Return the name of a class."""
    return str(documents.class_names[int(label)])


def size(count: int | None) -> str:
    """Return bytes as B, kB or MB (powers of ten)."""
    if count is None:
        return "–"
    for unit, factor in (("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"


def format_fixed(value: float, digits: int = 4) -> str:
    """Return a number with so many decimals; what rounds to zero has no sign."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def seconds(value: float | None) -> str:
    """Return a time as µs, ms, s or minutes."""
    if value is None:
        return "–"
    for unit, factor, most in (("µs", 1e6, 1e-3), ("ms", 1e3, 1.0), ("s", 1.0, 120.0)):
        if value < most:
            return f"{value * factor:.3g} {unit}"
    return f"{value / 60:.1f} min"


def shipped_file(documents: Documents) -> FileEntry:
    """Return the row of files.json of the shipped model."""
    ships = documents.verdict.ships
    return next(file for file in documents.files.files if file.format == ships)


def verdict(documents: Documents) -> str:
    """Return the sentence on top; where the file is worth nothing, that comes first."""
    entry, parity = shipped_file(documents), documents.parity
    ships, metric = entry.format, parity.metric
    found = figure(metric, parity.files[entry.file].metrics[metric])
    wanted = figure(metric, parity.reference.metrics[metric])
    name, value = best_trivial(parity)
    facts = f"{NAMES[metric]} {found} (trained model {wanted}; {name} {figure(metric, value)}), "
    facts += size(entry.bytes)
    timed = [row for row in documents.files.targets if row.latency_ms_estimate is not None]
    if timed and ships == "int8":
        row = timed[0]
        facts += f", {row.latency_ms_estimate:.2g} ms estimated on {row.target}"
    if documents.verdict.passed:
        return f"{ships} ships: {facts}."
    failed = [gate.name for gate in documents.verdict.decisive if not gate.passed]
    worthless = [WORTHLESS[gate] for gate in failed if gate in WORTHLESS]
    if worthless:
        return f"Nothing ships: {ships} {worthless[0].format(name=name)} ({facts})."
    return f"Nothing ships: {ships} fails {', '.join(failed)} ({facts})."


def best_trivial(parity: Parity) -> tuple[str, float]:
    """Return the best prediction that takes no model, and its metric."""
    sign = 1 if parity.direction == "up" else -1
    best = max(parity.trivial, key=lambda name: sign * parity.trivial[name])
    return best, parity.trivial[best]


def lighter(weights: Weights | Compression) -> str:
    """Return how the model was compressed before quantization, by weights.json."""
    parts = []
    if weights.prune is not None:
        parts.append(f"pruned to {100 * weights.prune.sparsity:g} % zeros")
    if weights.cluster is not None:
        parts.append(f"clustered to {weights.cluster.clusters} values per kernel")
    return ", ".join(parts)
