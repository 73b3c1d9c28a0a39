"""The C library on an emulated Cortex-M: built by gcc-arm-none-eabi, run by qemu-system-arm.

The host's files are read and written by semihosting; under `-icount shift=0` one instruction takes
1 ns of the emulated clock, so that the processor's own timer counts them (a tick is 31 or 40).
"""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.arrays import Array
from pipeline.device.compiled import LibraryRun, run_library
from pipeline.device_code.library import make_check, make_library
from tests.device_code.cases import Case

FOLDER = Path(__file__).with_name("cortex")
GCC, SIZE, QEMU = "arm-none-eabi-gcc", "arm-none-eabi-size", "qemu-system-arm"
FLAGS = ("-std=c99", "-Os", "-mthumb", "-ffunction-sections", "-fdata-sections", "-Wall", "-Werror")
NEWLIB = "crt0.o"


@dataclass(frozen=True)
class Core:
    """A processor, and the emulated machine that runs its code."""

    flags: tuple[str, ...]
    machine: str
    code: str
    data: str
    tick_ns: int


FPU = "-mfloat-abi=hard"
CORES = {
    "cortex-m0": Core(("-mcpu=cortex-m0",), "mps2-an386", "0x00000000", "0x20000000", 40),
    "cortex-m4f": Core(
        ("-mcpu=cortex-m4", FPU, "-mfpu=fpv4-sp-d16"), "mps2-an386", "0x00000000", "0x20000000", 40
    ),
    "cortex-m55": Core(("-mcpu=cortex-m55", FPU), "mps3-an547", "0x10000000", "0x30000000", 31),
}  # an M0 has a subset of the instructions of an M4, on which its code runs here


@dataclass(frozen=True)
class Footprint:
    """What a library takes."""

    flash: int
    """Bytes of code and constants, without the C library's and the model."""
    ram: int
    """Bytes of its scratch buffers."""


def why_missing() -> str | None:
    """Return what is not there; None: all is."""
    lacking = [name for name in (GCC, SIZE, QEMU) if shutil.which(name) is None]
    if lacking:
        return f"no {', '.join(lacking)} here"
    found = subprocess.run([GCC, f"--print-file-name={NEWLIB}"], capture_output=True, text=True)
    return "no newlib for Arm here" if found.stdout.strip() == NEWLIB else None


def build(folder: Path, name: str, case: Case, core: Core, more: Sequence[str] = ()) -> Path:
    """Write a case's library and check program, and build them for a core."""
    sources = make_library(name, case.preprocess, case.file)
    sources |= {"check.c": make_check(name, case.preprocess, case.file)}
    for file in ("startup.c", "memory.ld"):
        text = (FOLDER / file).read_text()
        text = text.replace("PREPROCESS", f"{name}_preprocess").replace("DECODE", f"{name}_decode")
        text = text.replace("CODE_START", core.code).replace("DATA_START", core.data)
        sources[file] = text.replace("TICK_NS", str(core.tick_ns))
    for file, text in sources.items():
        (folder / file).write_text(text)
    link = ["--specs=rdimon.specs", "-Wl,--gc-sections", "-T", "memory.ld", "-o", "check.elf"]
    wrap = [f"-Wl,--wrap={name}_{function}" for function in ("preprocess", "decode")]
    command = [GCC, *FLAGS, *core.flags, *more, *link, *wrap]
    subprocess.run([*command, "startup.c", "check.c", f"{name}.c", "-lm"], cwd=folder, check=True)
    return folder / "check.elf"


def footprint(folder: Path, name: str, core: Core, more: Sequence[str] = ()) -> Footprint:
    """Return what the library takes that `build` wrote into a folder."""
    command = [GCC, *FLAGS, *core.flags, *more, "-c", f"{name}.c", "-o", "library.o"]
    subprocess.run(command, cwd=folder, check=True)
    done = subprocess.run(
        [SIZE, "library.o"], cwd=folder, capture_output=True, text=True, check=True
    )
    text, data, bss, *_ = (int(x) for x in done.stdout.splitlines()[1].split()[:3])
    return Footprint(text + data, data + bss)


EMULATE = """#!/bin/sh
cat > in.bin
{qemu} -M {machine} -nographic -monitor none -serial none -icount shift=0 \\
  -semihosting-config enable=on,target=native,arg=check,arg=in.bin,arg=out.bin \\
  -kernel check.elf 2> counts.txt
code=$?
cat out.bin
exit $code
"""


def emulate(
    folder: Path, case: Case, core: Core, *, raw: dict[str, list[Array]], outputs: Array
) -> tuple[LibraryRun, list[int]]:
    """Run samples on an emulated core; return what came out, and the instructions of both calls.

    Args:
        folder: of `build`.
        case: that was built.
        core: that it was built for.
        raw: name -> raw samples (...).
        outputs: (N, ...), raw outputs of the model.
    """
    program = folder / "emulate.sh"
    program.write_text(f"cd {folder}\n" + EMULATE.format(qemu=QEMU, machine=core.machine))
    has_detector = (case.preprocess.detector or {}).get(case.file.format) is not None
    found = run_library(
        ["sh", program], case.preprocess, raw, file=case.file, outputs=outputs,
        unsqueezed=outputs if has_detector else None,
    )  # fmt: skip
    counts = [int(line) for line in (folder / "counts.txt").read_text().split()]
    return found, counts
