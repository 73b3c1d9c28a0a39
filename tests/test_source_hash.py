"""What makes a stage stale is what its code does, not how it is told."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline import source_hash
from pipeline.stages import STAGES

LIMIT_S = 0.25  # 50 ms on a quiet machine; tests run beside each other
FILES = {
    "__init__.py": "",
    "train/__init__.py": "",
    "train/stage.py": 'def run():\n    from pipeline.loop import fit\n    fit("page.j2")\n',
    "train/page.j2": "{{ a }}",
    "loop.py": 'def fit(x):\n    """Fit."""\n    return x + 1  # one\n',
    "documents/__init__.py": "",
    "documents/plan.py": 'class Plan:\n    a: int\n    """Documented."""\n',
    "other.py": "x = 1\n",
    "spawned.py": "y = 1\n",
}


@pytest.fixture
def hash_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Return what the hash of a small package's stage is once some files have another text."""
    package = tmp_path / "pipeline"
    monkeypatch.setattr(source_hash, "PACKAGE", package)
    monkeypatch.setattr(source_hash, "CACHE", package / "__pycache__" / "hashes.json")
    monkeypatch.setattr(source_hash, "DOCUMENTS", package / "documents")

    def after(page: str = "{{ a }}", **texts: str) -> str:
        changed = {name.replace("__", "/") + ".py": text for name, text in texts.items()}
        for name, text in (FILES | changed | {"train/page.j2": page}).items():
            (package / name).parent.mkdir(parents=True, exist_ok=True)
            (package / name).write_text(text)
        forget()
        return source_hash.hash_source("pipeline.train.stage")

    yield after
    forget()


def forget() -> None:
    for part in vars(source_hash).values():
        if hasattr(part, "cache_clear"):
            part.cache_clear()


def test_comments_docstrings_and_layout_do_not_count(hash_after: Callable[..., str]) -> None:
    before = hash_after()
    assert hash_after(loop='"""New."""\n\n\ndef fit(x):\n    return (x +\n        1)\n') == before
    assert hash_after(other="x = 2\n") == before  # nobody imports it


def test_code_counts_that_is_imported_lazily_or_named(hash_after: Callable[..., str]) -> None:
    before = hash_after()
    assert hash_after(loop="def fit(x):\n    return x + 2\n") != before
    assert hash_after() == before  # and the kept hashes are those of the bytes
    spawning = 'def run():\n    call("-m", "pipeline.spawned")\n'
    named = hash_after(train__stage=spawning)
    assert hash_after(train__stage=spawning, spawned="y = 2\n") != named


def test_templates_and_docstrings_of_documents_count(hash_after: Callable[..., str]) -> None:
    before = hash_after()
    assert hash_after(page="{{ b }}") != before
    reading = "from pipeline.documents.plan import Plan\n"
    read = hash_after(train__stage=reading)
    assert hash_after(train__stage=reading, documents__plan="class Plan:\n    a: int\n") != read


def test_a_damaged_cache_is_made_anew(hash_after: Callable[..., str]) -> None:
    before = hash_after()
    source_hash.CACHE.write_text("[]")
    assert hash_after() == before
    source_hash.CACHE.write_text("{")
    assert hash_after() == before


def test_the_hashes_of_all_stages_cost_little() -> None:
    hashes = {stage.name: source_hash.hash_source(stage.module) for stage in STAGES}
    assert len(set(hashes.values())) == len(STAGES)
    forget()
    begun = time.perf_counter()
    assert {stage.name: source_hash.hash_source(stage.module) for stage in STAGES} == hashes
    assert time.perf_counter() - begun < LIMIT_S
