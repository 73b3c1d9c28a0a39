"""Hold a file against the gates that a config asks for. Pure."""

from collections.abc import Mapping, Sequence

from pipeline.documents.verdict import GateResult
from pipeline.errors import ConfigError
from pipeline.gate.evidence import Evidence
from pipeline.gate.gates import GATES


def judge(limits: Mapping[str, float | None], file: Evidence) -> list[GateResult]:
    """Return the result of every gate that is asked for and that this file has a value for.

    Args:
        limits: gate -> limit; None: not asked.
        file: the measurements of the file.
    """
    results = []
    for gate in GATES.values():
        limit = 0 if gate.is_always_asked else limits.get(gate.name)
        if limit is None:
            continue
        value = gate.read(file)
        if value is None and not gate.is_required:
            continue
        passed = value is not None and gate.passes(value, limit)
        results.append(
            GateResult(
                name=gate.name,
                value=value,
                limit=limit,
                direction=gate.direction,
                passed=passed,
                remediation=None if passed else gate.remediation(file),
            )
        )
    return results


def check_class_names(allowed: Sequence[str], names: Sequence[str]) -> None:
    """Refuse names of gate.missing_classes that are no class.

    Raises:
        ConfigError: names those that are not there.
    """
    if unknown := [name for name in allowed if name not in names]:
        raise ConfigError(
            f"gate.missing_classes: no class is called {', '.join(unknown)}; the classes are "
            f"{', '.join(names) or 'none: this task has no classes'}"
        )
