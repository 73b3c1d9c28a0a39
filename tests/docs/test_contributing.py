"""The lists of docs/contributing.md name every file that knows their example."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "contributing.md"
GENERATED = {"pipeline/device/run_on_device.py"}  # from pipeline/ondevice
LEAST = 9  # family, source, task, kind of sample, target, runtime, two attacks, gate


def lists() -> dict[str, tuple[str, list[str]]]:
    """Return heading -> (the example, the files of its list)."""
    parts = re.split(r"^### Add (.+)$", PAGE.read_text(), flags=re.MULTILINE)[1:]
    found = {}
    for heading, text in zip(parts[::2], parts[1::2], strict=True):
        example = re.search(r"Example: `([^`]+)`", text)
        assert example is not None, heading
        found[heading] = example[1], re.findall(r"^\| `([^`]+)` \|", text, flags=re.MULTILINE)
    return found


def naming(example: str) -> set[str]:
    """Return the files of pipeline/ that have the example's name as a string."""
    quoted = re.compile(rf"""["']{re.escape(example)}["']""")
    paths = [p for p in (ROOT / "pipeline").rglob("*") if p.suffix in (".py", ".j2", ".js")]
    named = {p.relative_to(ROOT).as_posix() for p in paths if quoted.search(p.read_text())}
    return named - GENERATED


@pytest.mark.parametrize("heading", lists())
def test_a_list_names_every_file_that_knows_its_example(heading: str) -> None:
    example, files = lists()[heading]
    assert all((ROOT / file).exists() for file in files)
    assert {file for file in files if file.startswith("pipeline/")} >= naming(example)


def test_everything_that_can_be_added_has_a_list() -> None:
    assert len(lists()) >= LEAST


def test_the_floor_plan_has_every_room() -> None:
    plan = PAGE.read_text().split("## How to add something")[0]
    rooms = [p.name for p in (ROOT / "pipeline").iterdir() if (p / "__init__.py").exists()]
    assert [room for room in rooms if f"`{room}/`" not in plan] == []
