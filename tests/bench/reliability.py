"""What was tried against the program: the tests count it, and this adds it up.

    .venv/bin/python -m tests.bench.reliability [--xml FILE ...]

A test that tries something notes how much by the fixture `counted`, and it stands in the XML that
pytest writes. A test that failed counts for nothing, and is named. Without --xml the tests that
count are run here, the slow ones too: about an hour.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pipeline.artifacts import write_json
from tests.bench.suite import PACKAGES, RESULTS, ROOT, machine, version
from tests.conftest import COUNTED

RESULT = "reliability.json"
COUNTS = "counted: Callable"  # stands where a test asks for the fixture


@dataclass
class Found:
    """What the tests say."""

    counts: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    """Tests behind each count."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """Tests by outcome, those that count nothing too."""
    failed: list[str] = field(default_factory=list)


def main() -> None:
    """Add up what the tests counted, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--xml", nargs="*", type=Path, help="what pytest wrote by --junitxml")
    asked = parser.parse_args()
    if asked.xml:
        found = added(asked.xml)
    else:
        with tempfile.TemporaryDirectory(prefix="edgeline_") as folder:
            found = added([run(Path(folder) / "tests.xml")])
    RESULTS.mkdir(exist_ok=True)
    write_json(RESULTS / RESULT, result(found))
    print(*(f"{name}: {found.counts[name]:,}" for name in COUNTED), sep="\n")
    print(dict(found.outcomes), *found.failed, sep="\n")
    raise SystemExit(bool(found.failed))


def run(xml: Path) -> Path:
    """Run the tests that count, slow ones too; return the file that pytest wrote."""
    command = [sys.executable, "-m", "pytest", "-m", "not device", "-n", "2", "--dist", "loadfile"]
    subprocess.run([*command, f"--junitxml={xml}", *counting()], cwd=ROOT, check=False)
    return xml


def counting() -> list[str]:
    """Return the files of tests in which something is counted."""
    paths = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(path.relative_to(ROOT)) for path in paths if COUNTS in path.read_text()]


def added(files: Iterable[Path]) -> Found:
    """Add up what stands in XML files; a test that stands in several counts once."""
    found, seen = Found(), set[str]()
    for name, case in _cases(files):
        if name in seen:
            continue
        seen.add(name)
        outcome = _outcome(case)
        found.outcomes[outcome] += 1
        if outcome == "failed":
            found.failed.append(name)
        if outcome != "passed":
            continue
        for noted in case.iter("property"):
            if noted.get("name") in COUNTED:
                found.counts[noted.attrib["name"]] += int(noted.attrib["value"])
                found.passed[noted.attrib["name"]] += 1
    return found


def _cases(files: Iterable[Path]) -> Iterator[tuple[str, ElementTree.Element]]:
    for path in files:
        if not path.exists():
            raise SystemExit(f"{path}: no such file; pytest --junitxml={path} writes it")
        try:
            root = ElementTree.parse(path).getroot()
        except ElementTree.ParseError as error:
            raise SystemExit(f"{path}: {error}; wanted what pytest --junitxml writes") from None
        for case in root.iter("testcase"):
            yield f"{case.get('classname')}::{case.get('name')}", case


def _outcome(case: ElementTree.Element) -> str:
    """Return how a test ended: pytest has an element for all but a success."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


def result(found: Found) -> dict[str, Any]:
    """Return what is kept."""
    return {
        "command": "python -m tests.bench.reliability",
        "packages": {name: version(name) for name in PACKAGES},
        "machine": machine(),
        "counts": {
            name: {"tried": found.counts[name], "tests": found.passed[name]} for name in COUNTED
        },
        "tests": dict(found.outcomes),
        "failed": found.failed,
    }


if __name__ == "__main__":
    main()
