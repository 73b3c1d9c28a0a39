"""The remedy ladder: rungs in order, the first that passes the gates ships.

A rung is a way to quantize; what it costs and how far it falls from the reference is measured once,
on validation data, and kept, so that another gate only chooses again.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, TypeVar

from pipeline.documents.ladder import MadeFile, Measurement, Refusal
from pipeline.documents.recipe import FileRecipe, Quantizer
from pipeline.gate.gates import GATES
from pipeline.targets.registry import compiler_of
from pipeline.tasks.intervals import rate_at_least

log = logging.getLogger(__name__)

PLAIN = "int8"
MIXED_FLOAT = "mixed_float"
QAT = "qat"
MODEL: Final = "model.keras"  # what a rung's file is made from
TUNED: Final = "qat.keras"
AS_IS = FileRecipe()


class Way(NamedTuple):
    """One way to quantize: the format that it ships, how it is made, and why one climbs to it."""

    form: str
    recipe: FileRecipe
    why: str


RUNGS = {
    "int8": Way("int8", AS_IS, "full integers, ranges by least and greatest value"),
    "calibration": Way(
        "int8",
        FileRecipe(clipping="mse"),
        "ranges cut to the least squared error: outliers no longer coarsen the rest",
    ),
    "calibration_percentile": Way(
        "int8",
        FileRecipe(clipping="percentile"),
        "ranges that leave one value in ten thousand outside on either side",
    ),
    "calibration_entropy": Way(
        "int8", FileRecipe(clipping="entropy"), "ranges at which the least information is lost"
    ),
    "correction": Way(
        "int8",
        FileRecipe(correct=True),
        "channels scaled alike from layer to layer, and biases that take back what rounding adds",
    ),
    "mixed_10": Way("int8", FileRecipe(int16_fraction=0.1), "16-bit activations in a tenth"),
    "mixed_30": Way("int8", FileRecipe(int16_fraction=0.3), "16-bit activations in three tenths"),
    "mixed_corrected": Way(
        "int8",
        FileRecipe(int16_fraction=0.3, correct=True),
        "both: channels alike for the weights, 16-bit activations where that coarsens them",
    ),
    MIXED_FLOAT: Way("int8", FileRecipe(float_fraction=0.1), "float where a tenth gains most"),
    QAT: Way(
        "int8",
        FileRecipe(model=TUNED, clipping="mse"),
        "fine-tuned to keep its outputs through the rounding of int8",
    ),
    "int16x8": Way(
        "int16x8",
        AS_IS,
        "16-bit activations: 256 times finer steps, at twice the activation memory",
    ),
    "int16x8_corrected": Way(
        "int16x8",
        FileRecipe(correct=True),
        "16-bit activations, and channels alike for the weights",
    ),
}
REMEDIES = {  # those of several rungs
    "calibration": ("calibration", "calibration_percentile", "calibration_entropy"),
    "mixed": ("mixed_10", "mixed_30", "mixed_corrected", MIXED_FLOAT),
    "int16x8": ("int16x8", "int16x8_corrected"),
}
# Runtime -> why it takes no file of 8- and 16-bit activations.
NO_MIXTURE = {"tflite-runtime": "tflite-runtime 2.14 has no QUANTIZE from 8 to 16 bits"}
# In the order in which they are tried: the first is 70 times faster, the second has an integer form
# of operations that the first leaves in float.
QUANTIZERS: tuple[Quantizer, ...] = ("ai-edge", "converter")
ABREAST = 2  # rungs at a time where all are measured: a file is made while another is run

Result = Measurement | Refusal
Measured = Mapping[str, Result]
File = TypeVar("File", bound=MadeFile)
Limits = Mapping[str, float | None]
Bench = Callable[[str], Result]


def rungs_to_climb(remedies: Sequence[str], ships: str, begin: str = PLAIN) -> list[str]:
    """Return the rungs to climb, in order.

    Args:
        remedies: the rungs that the config allows above the first.
        ships: auto, or the format that the config insists on: only its own rungs are climbed then,
            its plain one always; a float format has none.
        begin: the first rung: plain int8, or what comes before it.
    """
    climbed = [rung for name in remedies for rung in REMEDIES.get(name, (name,))]
    first = [PLAIN] if begin == PLAIN else [begin, PLAIN]
    allowed = first + [rung for rung in climbed if rung in RUNGS and rung not in first]
    if ships == "auto":
        return allowed
    plain = [ships] if ships in RUNGS and ships not in allowed else []
    return plain + [rung for rung in allowed if RUNGS[rung].form == ships]


def unavailable_rungs(
    runtimes: Sequence[str], targets: Sequence[str], gates: Limits
) -> dict[str, str]:
    """Return rung -> why it is left out: a runtime, a target or a gate does not allow it.

    Args:
        runtimes: of `verify.runtimes`.
        targets: of `export.targets`.
        gates: the limits by name.
    """
    compilers = [compiler for name in targets if (compiler := compiler_of(name)) is not None]
    found = [why for name, why in NO_MIXTURE.items() if name in runtimes]
    found += [compiler.no_mixtures for compiler in compilers if compiler.no_mixtures is not None]
    of_mixtures = [rung for rung in REMEDIES["mixed"] if rung != MIXED_FLOAT]
    refused = dict.fromkeys(of_mixtures, found[0]) if found else {}
    if gates["float_ops"] == 0:
        refused[MIXED_FLOAT] = "gate.float_ops allows no operation in float"
    return refused


def climb(
    rungs: Sequence[str], gates: Limits, *, exhaustive: bool, kept: Measured, bench: Bench
) -> dict[str, Result]:
    """Return the measurements of rung after rung until one passes, or of all when exhaustive.

    Args:
        rungs: in order.
        gates: as for `passes`.
        exhaustive: whether to go on after the first that passes.
        kept: measurements that hold still; these rungs are not measured again.
        bench: makes a rung's file and measures it.
    """
    measured: dict[str, Result] = {}
    ahead: dict[str, Callable[[], Result]] = {}
    with _abreast() as begun:
        for rung in rungs:
            refused = _not_clipped(rung, measured) or kept.get(rung)
            measured[rung] = found = refused or ahead.get(rung, lambda: bench(rung))()  # noqa: B023
            _tell(rung, found)
            if passes(found, gates) and not exhaustive:
                break
            if exhaustive and rung == PLAIN:
                left = [r for r in rungs if r not in (*measured, *kept, QAT)]
                ahead = {r: begun(bench, r) for r in left if not _not_clipped(r, measured)}
    return measured


@contextlib.contextmanager
def _abreast() -> Iterator[Callable[[Bench, str], Callable[[], Result]]]:
    """Give what begins a call beside others, and returns how to wait for what comes of it."""
    pool = ThreadPoolExecutor(ABREAST)
    try:
        yield lambda bench, rung: pool.submit(bench, rung).result
    finally:
        pool.shutdown(cancel_futures=True)


def _tell(rung: str, found: Result) -> None:
    if isinstance(found, Refusal):
        log.warning("          rung %s: %s", rung, found.refused)
    else:
        log.info(
            "          rung %s: drop %.4f, agreement %.4f, at least %.4f by %d samples",
            rung, found.metric_drop, found.agreement, found.agreement_at_least,
            found.agreement_samples,
        )  # fmt: skip


def _not_clipped(rung: str, measured: Measured) -> Refusal | None:
    """Return why a rung of another making is left out, where the converter made the plain one."""
    if _is_plain(rung) or PLAIN not in measured or measured[PLAIN].quantizer == QUANTIZERS[0]:
        return None
    return Refusal(
        quantizer=QUANTIZERS[1],
        refused="this model has operations that only the converter quantizes, and it has only "
        "one way to do it",
    )


def _is_plain(rung: str) -> bool:
    """Tell whether both quantizers can make a rung: full ranges suffice, or it has own weights."""
    return rung == QAT or RUNGS[rung].recipe == AS_IS


def least_float(rung: str, attempt: Callable[[str, Quantizer], File | Refusal]) -> File | Refusal:
    """Return the measurements of a rung by the first quantizer that leaves nothing in float.

    Where both leave something, or a file cannot be made or run, the better of the two counts. The
    converter sets full ranges only, so it is asked for others where they are not the only point.

    Args:
        rung: the rung.
        attempt: (rung, quantizer) -> measurements, or `refused` where there is no file that runs.
    """
    asked = QUANTIZERS if _is_plain(rung) else QUANTIZERS[:1]
    made: list[File] = []
    for quantizer in asked:
        found = attempt(rung, quantizer)
        if not isinstance(found, Refusal):
            made.append(found)
            if found.float_ops == 0:
                return found
    return min(made, key=lambda file: file.float_ops) if made else found


def passes(found: Result, gates: Limits) -> bool:
    """Tell whether a rung's measurements hold the gates that validation data can judge.

    The agreement must hold with 95 % confidence: the test set, which decides, has other samples.
    Where even no difference at all would not be certain enough, there must be none.

    Args:
        found: of the rung.
        gates: the limits by name; None: not asked.
    """
    return not isinstance(found, Refusal) and not failed_gates(found, gates)


def failed_gates(found: Measurement, gates: Limits) -> tuple[str, ...]:
    """Return the gates that a rung does not hold, or not with confidence."""
    failed = _failed_values(found, gates)
    limit, samples = gates["agreement"], found.agreement_samples
    most = rate_at_least(samples, samples)
    is_sure = limit is None or found.agreement_at_least >= min(limit, most)
    return failed if is_sure or "agreement" in failed else (*failed, "agreement")


def _failed_values(found: Measurement, gates: Limits) -> tuple[str, ...]:
    """Return the gates that a rung's values on validation, without their intervals, do not hold."""
    return tuple(
        name
        for name, gate in GATES.items()
        if gate.is_judged_on_validation
        and (value := getattr(found, name)) is not None
        and (limit := gates[name]) is not None
        and not gate.passes(value, limit)
    )


def choose(measured: Measured, gates: Limits, *, exhaustive: bool) -> str | None:
    """Return the rung that ships: the first that passes, or the smallest passing when exhaustive.

    Where none passes, it is the one that agrees most of those whose values hold the gates, without
    certainty. Where there is none of these, it is the one with the fewest float operations, then
    the least drop, then the most agreement: the gate, which judges on other samples, then fails
    with its values. None where no rung's file can be made.
    """
    made = {rung: found for rung, found in measured.items() if isinstance(found, Measurement)}
    passing = [rung for rung, found in made.items() if passes(found, gates)]
    if passing:
        return min(passing, key=lambda rung: made[rung].bytes) if exhaustive else passing[0]

    def shortfall(rung: str) -> tuple[float, ...]:
        found = made[rung]
        if not _failed_values(found, gates):
            return 0, -found.agreement_at_least, found.bytes
        return 1, found.float_ops, found.metric_drop, -found.agreement, found.bytes

    return min(made, key=shortfall, default=None)


def recipe_of(form: str, rung: str | None, measured: Measured, *, gates: Limits) -> FileRecipe:
    """Return how a format's file is made, but for what all have in common.

    Args:
        form: the format.
        rung: the one that ships; its own format is made in its way.
        measured: the rungs that were climbed; another integer format is made in its best way, or,
            where none of its own was, by the quantizer that made the first of them.
        gates: as for `passes`.
    """
    if rung is None or RUNGS[rung].form != form:
        own = {name: found for name, found in measured.items() if RUNGS[name].form == form}
        rung = choose(own, gates, exhaustive=False)
    makers = [found.quantizer for found in measured.values() if isinstance(found, Measurement)]
    quantizer = measured[rung].quantizer if rung is not None else [*makers, QUANTIZERS[0]][0]
    return RUNGS[PLAIN if rung is None else rung].recipe.model_copy(update={"quantizer": quantizer})
