"""Rules of `harden` that span several of its settings."""

from collections.abc import Iterator
from pathlib import Path as File

from pipeline.config import source_rules
from pipeline.config.document import Path
from pipeline.config.harden_schema import WIDEST
from pipeline.config.schema import Config
from pipeline.config.space_schema import Substitute

Finding = tuple[Path, str]


def epsilon_fits(config: Config, base: File) -> Iterator[Finding]:
    """Epsilon is within the range of a value, and has its full size before the last epoch ends."""
    harden = config.harden
    if harden is None:
        return
    if harden.warmup_epochs >= harden.epochs:
        yield (
            ("harden", "warmup_epochs"),
            f"epsilon would hardly have its full size: wanted less than harden.epochs "
            f"({harden.epochs}); came {harden.warmup_epochs:g}",
        )
    attack = harden.attack
    is_share = source_rules.form_of(config.data.source) in (None, "image")
    if isinstance(attack, Substitute):  # of words: it has no norm and no epsilon
        return
    if is_share and attack.norm == "linf" and attack.epsilon > WIDEST:
        yield (
            ("harden", "attack", "epsilon"),
            f"norm is linf, where it is the change of each value; wanted at most {WIDEST:g}, or "
            f"norm: l2; came {attack.epsilon:g}",
        )
