"""What bits depend on is told the same way every time, and what ran elsewhere by its name."""

import subprocess
import sys
from typing import Any

import pytest

from pipeline import host
from pipeline.documents.stages import Machine

INTEL = """
processor\t: 0
model name\t: Intel(R) Xeon(R) Gold 6338
flags\t\t: fpu sse4_2 avx avx2 fma avx512f amx_tile hypervisor avx_vnni
processor\t: 1
model name\t: another
"""
ARM = "Features\t: fp asimd asimdhp asimddp sve2 crc32\nCPU part\t: 0xd0c\n"


def own(**changes: Any) -> Machine:
    return host.describe_machine().model_copy(update=changes)


@pytest.mark.parametrize(
    ("said", "name", "features"),
    [
        (INTEL, "Intel(R) Xeon(R) Gold 6338", "amx_tile avx avx2 avx512f avx_vnni fma sse4_2"),
        (ARM, "0xd0c", "asimd asimddp asimdhp sve2"),
    ],
)
def test_a_processor_is_known_by_what_kernels_are_chosen_by(
    said: str, name: str, features: str
) -> None:
    assert host._cpu(said) == {"cpu": name, "features": features.split()}


def test_a_processor_that_tells_nothing_is_no_error() -> None:
    assert host._cpu("")["features"] == []


def test_the_record_is_the_same_in_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "from pipeline import host; print(repr(host.describe_machine()))"
    for hashing in ("0", "1"):
        monkeypatch.setenv("PYTHONHASHSEED", hashing)
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == repr(own(gpus=()))


def test_settings_that_change_bits_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    before = host.describe_machine()
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "7")
    assert host.describe_machine() != before
    assert host.describe_machine().settings["TF_NUM_INTRAOP_THREADS"] == "7"


def test_stages_that_ran_elsewhere_are_named() -> None:
    here, other = own(gpus=()), own(cpu="another", gpus=("H",))
    found = host.compare_machines(here, {"data": here, "train": other, "gate": own(gpus=("H",))})
    assert found.ran_elsewhere == {"train": other}
    assert found.depends_on.gpus == ("H",)
    assert (found.same, found.other) == ("bits", "rounding")
