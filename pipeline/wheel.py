"""Build the wheel, whose one package is `edgeline`: the modules of pipeline/ under that name.

`pipeline` is the folder's name in the repository, and too common for other people's environments: a
folder of that name where they work would hide ours, and ours would hide theirs. So the wheel has
no `pipeline` at all. pyproject.toml names this class; nothing else imports this file.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from setuptools.command.bdist_wheel import bdist_wheel

OURS = "pipeline"
NAME = "edgeline"
MODULE = re.compile(rf"{OURS}(\.\w+)*\.?")


class Wheel(bdist_wheel):
    """setuptools' command, which renames the package before it packs the files."""

    def write_wheelfile(self, wheelfile_base: str, *args: str, **options: str) -> None:
        """Write the last of the files, and rename the package.

        Args:
            wheelfile_base: folder of the metadata, beside the package.
            args: what setuptools passes on.
            options: what setuptools passes on.
        """
        super().write_wheelfile(wheelfile_base, *args, **options)
        metadata = Path(wheelfile_base)
        if not (metadata.parent / OURS).is_dir():
            return  # an editable install, whose package stays in the repository, under its own name
        rename_package(metadata.parent)
        (metadata / "top_level.txt").write_text(f"{NAME}\n")
        commands = metadata / "entry_points.txt"
        commands.write_text(commands.read_text().replace(f"= {OURS}.", f"= {NAME}."))


def rename_package(folder: Path) -> None:
    """Rename the package below a folder, and what names it in its code."""
    package = (folder / OURS).rename(folder / NAME)
    (package / "wheel.py").unlink()
    for path in sorted(package.rglob("*.py*")):
        if path.suffix in (".py", ".pyi"):
            path.write_text(rename_in(path.read_text(encoding="utf-8")), encoding="utf-8")


def rename_in(code: str) -> str:
    """Return code whose imports, and strings that name a module, have the package's other name.

    Comments, docstrings and other strings stay.

    Raises:
        ValueError: the code binds the name itself (`import pipeline`), or an f-string has it.
    """
    lines = code.splitlines(keepends=True)
    for row, column in sorted(_places(code), reverse=True):
        line = lines[row - 1]
        lines[row - 1] = line[:column] + NAME + line[column + len(OURS) :]
    return "".join(lines)


def _places(code: str) -> Iterator[tuple[int, int]]:
    """Yield row and column of each place where the name stands."""
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        row, column = token.start
        if token.type == tokenize.NAME and token.string == OURS and before == "from":
            yield row, column
        elif token.type == tokenize.NAME and token.string == OURS and before == "import":
            raise ValueError(f"line {row}: {token.line.strip()}: wanted `from {OURS} import …`")
        elif token.type == tokenize.STRING and _names_module(token):
            yield row, column + token.string.index(OURS)
        before = token.string


def _names_module(token: tokenize.TokenInfo) -> bool:
    if token.string.lower().startswith(("f", "rf", "fr")):
        if f"{OURS}." in token.string:
            raise ValueError(f"line {token.start[0]}: an f-string names {OURS}: {token.string}")
        return False
    value = ast.literal_eval(token.string)
    return isinstance(value, str) and MODULE.fullmatch(value) is not None
