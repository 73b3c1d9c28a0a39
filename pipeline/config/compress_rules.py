"""Rules about pruning and clustering; see rules.py."""

from collections.abc import Iterator
from pathlib import Path as File

from pipeline.config.document import Path
from pipeline.config.schema import Config

Finding = tuple[Path, str]
LEAST_SPARSE = 3  # clusters where one of them is zero


def pruning_ends(config: Config, base: File) -> Iterator[Finding]:
    """Pruning begins before it ends."""
    prune = config.compress.prune
    if prune is not None and prune.begin >= prune.end:
        yield (
            ("compress", "prune", "end"),
            f"wanted more than compress.prune.begin ({prune.begin:g}); came {prune.end:g}",
        )


def the_first_rung_ships(config: Config, base: File) -> Iterator[Finding]:
    """What is fine-tuned for int8 ships as int8."""
    if config.compress.quantize.begin == "qat" and config.export.ships not in ("auto", "int8"):
        yield (
            ("compress", "quantize", "begin"),
            f"qat makes an int8 file and export.ships is {config.export.ships}; wanted int8",
        )


def zero_is_a_cluster(config: Config, base: File) -> Iterator[Finding]:
    """What is pruned before is a cluster of its own."""
    prune, cluster = config.compress.prune, config.compress.cluster
    if prune is not None and cluster is not None and cluster.clusters < LEAST_SPARSE:
        yield (
            ("compress", "cluster", "clusters"),
            f"with compress.prune one of them is zero: wanted at least {LEAST_SPARSE}; came "
            f"{cluster.clusters}",
        )
