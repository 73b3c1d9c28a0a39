"""Settings of `harden`: what attacks in training, and what is learnt from it."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.section import Section


class _Attack(Section):
    """What every attack has."""

    norm: Literal["linf", "l2"] = "linf"
    """linf: every value may move by epsilon; l2: all of them together, as a distance."""
    epsilon: Annotated[float, Field(gt=0, le=100)] = 0.1
    """How far a sample may move, in units of the input range [0, 1]: at most 0.5 under linf."""


class Fgsm(_Attack):
    """One signed step (Goodfellow et al. 2015, arXiv:1412.6572)."""

    kind: Literal["fgsm"] = "fgsm"


class RsFgsm(_Attack):
    """One signed step from a random start (Wong et al. 2020, arXiv:2001.03994)."""

    kind: Literal["rs_fgsm"]


class NFgsm(_Attack):
    """One signed step from a noisy input, without a way back (de Jorge et al. 2022).

    What it finds lies up to three epsilon away: arXiv:2202.01181.
    """

    kind: Literal["n_fgsm"]


class Pgd(_Attack):
    """Projected gradient descent (Madry et al. 2018, arXiv:1706.06083)."""

    kind: Literal["pgd"]
    steps: Annotated[int, Field(ge=1, le=100)] = 7


class ApgdCe(_Attack):
    """PGD whose steps shorten by themselves (Croce and Hein 2020, arXiv:2003.01690)."""

    kind: Literal["apgd_ce"]
    steps: Annotated[int, Field(ge=1, le=100)] = 7


Attack = Annotated[Fgsm | RsFgsm | NFgsm | Pgd | ApgdCe, Field(discriminator="kind")]
