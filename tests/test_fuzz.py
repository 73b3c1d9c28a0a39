"""Readers under damaged files: samples, or one message; and the harness that tries it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bench.fuzz import fuzz, fuzz_bundles
from tests.bench.fuzz_targets import Target, targets

FEW = 40
MANY = pytest.param(3000, marks=pytest.mark.slow)


@pytest.mark.parametrize("count", [FEW, MANY])
@pytest.mark.parametrize("name", targets())
def test_a_damaged_file_is_samples_or_one_message(
    tmp_path: Path, name: str, count: int, counted: Callable[..., None]
) -> None:
    found = fuzz(targets()[name], tmp_path, seed=34, count=count)
    assert found.bugs == {}
    assert found.cases == count
    counted("fuzzed", count)


@pytest.mark.parametrize("count", [FEW, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_damaged_bundle_is_read_or_one_message(
    tmp_path: Path, count: int, counted: Callable[..., None]
) -> None:
    found = fuzz_bundles(tmp_path, seed=34, count=count, seconds=None)
    assert found.bugs == {}
    assert found.outcomes["refused"] > 0
    counted("fuzzed", count)


def test_what_falls_is_named_once_with_its_first_case_and_kept(tmp_path: Path) -> None:
    def check(folder: Path) -> None:
        if b"b" not in (folder / "a").read_bytes():
            raise KeyError("b")

    target = Target("a", (b"abcabc",), check)
    found = fuzz(target, tmp_path / "one", seed=1, count=200, keep=tmp_path / "kept")
    assert set(found.outcomes) == {"read", "bug"}
    ((place, number),) = found.bugs.items()
    assert place.startswith("KeyError at test_fuzz.py:")
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [f"1_{number}_a"]
    again = fuzz(target, tmp_path / "two", seed=1, count=number + 1)
    assert again.bugs == {place: number}
    assert again.outcomes["bug"] == 1


def test_whole_files_are_read(tmp_path: Path) -> None:
    for name, target in targets().items():
        files = {**target.others, target.file: target.seeds[0]}
        for file, content in files.items():
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).write_bytes(content)
        target.check(tmp_path / name)
