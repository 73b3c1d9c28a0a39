"""Attacks in the space of a sample: those of attacks.py for numbers, substitution for texts."""

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.harden.attacks import attack_of
from pipeline.harden.space import Space
from pipeline.harden.space_tokens import Texts


def attack_in(space: Space | Texts, settings: Mapping[str, Any]) -> Callable[..., Any]:
    """Return (model, x, labels, seed, share=1.0) -> possible adversarial points.

    Args:
        space: what can be moved; its ball says how far.
        settings: of a `harden.attack` section; of texts, the space knows all of it.
    """
    if isinstance(space, Texts):
        return space.attack()
    return space.attack(attack_of(settings, space.ball()))
