"""The remedy ladder: rungs in order, the first that passes the gates ships.

A rung is a way to quantize; what it costs and how far it falls from the reference is measured once,
on validation data, and kept, so that another gate only chooses again.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pipeline.gate.gates import GATES

log = logging.getLogger(__name__)

PLAIN = "int8"
ISLANDS = "mixed_float"
QAT = "qat"
MODEL, TUNED = "model.keras", "qat.keras"  # what a rung's file is made from
AS_IS: dict[str, Any] = {
    "model": MODEL,
    "clipping": "min_max",
    "correct": False,
    "wide": 0.0,
    "islands": 0.0,
}
# step -> (format it ships, how its file is made, why one climbs to it)
RUNGS: dict[str, tuple[str, dict[str, Any], str]] = {
    "int8": ("int8", AS_IS, "full integers, ranges by least and greatest value"),
    "calibration": (
        "int8",
        AS_IS | {"clipping": "mse"},
        "ranges cut to the least squared error: outliers no longer coarsen the rest",
    ),
    "calibration_percentile": (
        "int8",
        AS_IS | {"clipping": "percentile"},
        "ranges that leave one value in ten thousand outside on either side",
    ),
    "calibration_entropy": (
        "int8",
        AS_IS | {"clipping": "entropy"},
        "ranges at which the least information is lost",
    ),
    "correction": (
        "int8",
        AS_IS | {"correct": True},
        "channels scaled alike from layer to layer, and biases that take back what rounding adds",
    ),
    "mixed_10": ("int8", AS_IS | {"wide": 0.1}, "16-bit activations where a tenth gains most"),
    "mixed_30": ("int8", AS_IS | {"wide": 0.3}, "16-bit activations where three tenths gain most"),
    "mixed_corrected": (
        "int8",
        AS_IS | {"wide": 0.3, "correct": True},
        "both: channels alike for the weights, 16-bit activations where that coarsens them",
    ),
    ISLANDS: ("int8", AS_IS | {"islands": 0.1}, "float where a tenth gains most"),
    QAT: (
        "int8",
        AS_IS | {"model": TUNED, "clipping": "mse"},
        "fine-tuned to answer as before through the rounding of int8",
    ),
    "int16x8": (
        "int16x8",
        AS_IS,
        "16-bit activations: 256 times finer steps, at twice the activation memory",
    ),
    "int16x8_corrected": (
        "int16x8",
        AS_IS | {"correct": True},
        "16-bit activations, and channels alike for the weights",
    ),
}
STEPS = {  # remedies of several rungs
    "calibration": ("calibration", "calibration_percentile", "calibration_entropy"),
    "mixed": ("mixed_10", "mixed_30", "mixed_corrected", ISLANDS),
    "int16x8": ("int16x8", "int16x8_corrected"),
}
NO_MIXTURE = {  # runtime or target -> why it takes no file of 8- and 16-bit activations
    "tflite-runtime": "tflite-runtime 2.14 has no QUANTIZE from 8 to 16 bits",
    "coral-edgetpu": "the Edge TPU has no 16-bit activations",
}
# Who makes integer files, in the order in which they are tried: the first is 70 times faster, the
# second has an integer form of operations that the first leaves in float.
QUANTIZERS = ("ai-edge", "converter")
ABREAST = 2  # rungs at a time where all are measured: a file is made while another is run

Measured = Mapping[str, Mapping[str, Any]]
Limits = Mapping[str, float | None]
Bench = Callable[[str], dict[str, Any]]


def steps(remedies: Sequence[str], ships: str, begin: str = PLAIN) -> list[str]:
    """Return the rungs to climb, in order.

    Args:
        remedies: the rungs that the config allows above the first.
        ships: auto, or the format that the config insists on: only its own rungs are climbed then,
            its plain one always; a float format has none.
        begin: the first rung: plain int8, or what comes before it.
    """
    climbed = [step for name in remedies for step in STEPS.get(name, (name,))]
    first = [PLAIN] if begin == PLAIN else [begin, PLAIN]
    allowed = first + [step for step in climbed if step in RUNGS and step not in first]
    if ships == "auto":
        return allowed
    plain = [ships] if ships in RUNGS and ships not in allowed else []
    return plain + [step for step in allowed if RUNGS[step][0] == ships]


def unable(runtimes: Sequence[str], targets: Sequence[str], gates: Limits) -> dict[str, str]:
    """Return rung -> why it is left out: what the file must run on, or a gate, does not take it.

    Args:
        runtimes: of `verify.runtimes`.
        targets: of `export.targets`.
        gates: the limits by name.
    """
    found = [why for name, why in NO_MIXTURE.items() if name in (*runtimes, *targets)]
    of_mixtures = [step for step in STEPS["mixed"] if step != ISLANDS]
    refused = dict.fromkeys(of_mixtures, found[0]) if found else {}
    if gates["float_ops"] == 0:
        refused[ISLANDS] = "gate.float_ops allows no operation in float"
    return refused


def climb(
    rungs: Sequence[str], gates: Limits, *, exhaustive: bool, kept: Measured, bench: Bench
) -> dict[str, Mapping[str, Any]]:
    """Return the measurements of rung after rung until one passes, or of all when exhaustive.

    Args:
        rungs: in order.
        gates: as for `passes`.
        exhaustive: whether to go on after the first that passes.
        kept: measurements that hold still; these rungs are not measured again.
        bench: makes a rung's file and measures it.
    """
    measured: dict[str, Mapping[str, Any]] = {}
    ahead: dict[str, Callable[[], Mapping[str, Any]]] = {}
    with _abreast() as begun:
        for step in rungs:
            refused = _not_clipped(step, measured) or kept.get(step)
            measured[step] = found = refused or ahead.get(step, lambda: bench(step))()  # noqa: B023
            _tell(step, found)
            if passes(found, gates) and not exhaustive:
                break
            if exhaustive and step == PLAIN:
                left = [s for s in rungs if s not in (*measured, *kept, QAT)]
                ahead = {s: begun(bench, s) for s in left if not _not_clipped(s, measured)}
    return measured


@contextlib.contextmanager
def _abreast() -> Iterator[Callable[..., Callable[[], Any]]]:
    """Give what begins a call beside others, and returns how to wait for what comes of it."""
    pool = ThreadPoolExecutor(ABREAST)
    try:
        yield lambda call, *arguments: pool.submit(call, *arguments).result
    finally:
        pool.shutdown(cancel_futures=True)


def _tell(step: str, found: Mapping[str, Any]) -> None:
    if "refused" in found:
        log.warning("          rung %s: %s", step, found["refused"])
    else:
        figures = found["metric_drop"], found["agreement"]
        log.info("          rung %s: drop %.4f, agreement %.4f", step, *figures)


def _not_clipped(step: str, measured: Measured) -> dict[str, Any] | None:
    """Return why a rung of another making is left out, where the converter made the plain one."""
    if _is_plain(step) or PLAIN not in measured or measured[PLAIN]["quantizer"] == QUANTIZERS[0]:
        return None
    return {
        "quantizer": QUANTIZERS[1],
        "refused": "this model has operations that only the converter brings to integers, and it "
        "makes them in one way alone",
    }


def _is_plain(step: str) -> bool:
    """Tell whether both quantizers can make a rung: full ranges suffice, or it has own weights."""
    return step == QAT or RUNGS[step][1] == AS_IS


def least_float(step: str, attempt: Callable[[str, str], dict[str, Any]]) -> dict[str, Any]:
    """Return the measurements of a rung by the first quantizer that leaves nothing in float.

    Where both leave something, or a file cannot be made or run, the better of the two counts. The
    converter sets full ranges only, so it is asked for others where they are not the point alone.

    Args:
        step: the rung.
        attempt: (step, quantizer) -> measurements, or `refused` where there is no file that runs.
    """
    asked = QUANTIZERS if _is_plain(step) else QUANTIZERS[:1]
    tried: list[dict[str, Any]] = []
    for quantizer in asked:
        tried.append(attempt(step, quantizer))
        if tried[-1].get("float_ops") == 0:
            return tried[-1]
    made = [found for found in tried if "refused" not in found]
    return min(made, key=lambda found: found["float_ops"]) if made else tried[-1]


def passes(found: Mapping[str, Any], gates: Limits) -> bool:
    """Tell whether a rung's measurements hold the gates that validation data can judge.

    Args:
        found: metric_drop, agreement, worst_class_drop (None where there are no classes),
            float_ops, bytes; or `refused`, where its file cannot be made.
        gates: the limits by name; None: not asked.
    """
    if "refused" in found:
        return False
    return all(
        gate.passes(found[name], limit)
        for name, gate in GATES.items()
        if gate.is_judged_on_validation
        and found[name] is not None
        and (limit := gates[name]) is not None
    )


def choose(measured: Measured, gates: Limits, *, exhaustive: bool) -> str | None:
    """Return the rung that ships: the first that passes, or the smallest passing when exhaustive.

    Where none passes it is the one with the fewest float operations, then the least drop, then the
    most agreement: the gate, which judges on other samples, then fails with its figures. None where
    no rung's file can be made.
    """
    made = {step: found for step, found in measured.items() if "refused" not in found}
    passing = [step for step, found in made.items() if passes(found, gates)]
    if passing:
        return min(passing, key=lambda s: made[s]["bytes"]) if exhaustive else passing[0]
    return min(made, key=lambda step: _shortfall(made[step]), default=None)


def _shortfall(found: Mapping[str, Any]) -> tuple[int, float, float, int]:
    """Return what makes one failing rung better than another: the least is best."""
    return found["float_ops"], found["metric_drop"], -found["agreement"], found["bytes"]


def recipe_of(form: str, step: str | None, measured: Measured, gates: Limits) -> dict[str, Any]:
    """Return how a format's file is made.

    Args:
        form: the format.
        step: the rung that ships; its own format is made in its way.
        measured: the rungs that were climbed; another integer format is made in its best way, or,
            where none of its own was, by the quantizer that made the first of them.
        gates: as for `passes`.
    """
    if step is None or RUNGS[step][0] != form:
        own = {s: found for s, found in measured.items() if RUNGS[s][0] == form}
        step = choose(own, gates, exhaustive=False)
    makers = [found["quantizer"] for found in measured.values() if "refused" not in found]
    own_maker = measured[step]["quantizer"] if step is not None else [*makers, QUANTIZERS[0]][0]
    return RUNGS[PLAIN if step is None else step][1] | {"quantizer": own_maker}


def rows(measured: Measured, gates: Limits, skipped: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the table of rungs for report and manifest: the climbed, then the skipped.

    Args:
        measured: the rungs that were climbed.
        gates: as for `passes`.
        skipped: rung -> why it was not.
    """
    return [_row(step, found, gates) for step, found in measured.items()] + [
        _skipped(step, f"skipped: {why}") for step, why in skipped.items()
    ]


def _row(step: str, found: Mapping[str, Any], gates: Limits) -> dict[str, Any]:
    if "refused" in found:
        return _skipped(step, f"cannot be made: {found['refused']}")
    names = ("bytes", "metric", "metric_drop", "agreement", "worst_class_drop")
    return {
        "step": step,
        "why": RUNGS[step][2],
        **{name: found[name] for name in names},
        "passed": passes(found, gates),
    }


def _skipped(step: str, why: str) -> dict[str, Any]:
    return {"step": step, "why": why, "bytes": None, "metric": None, "passed": None}
