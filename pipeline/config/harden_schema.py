"""Settings of `harden`: what attacks in training, and what is learned from it."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from pipeline.config.section import Count, Fraction, Positive, Section, Share
from pipeline.config.space_schema import Reach, Substitute

WIDEST = 0.5  # epsilon under linf: beyond it every image can be made gray


class _Attack(Reach):
    """What every attack has."""

    norm: Literal["linf", "l2"] = "linf"
    """linf: every value may move by epsilon; l2: all of them together, as a distance."""
    epsilon: Annotated[float, Field(gt=0, le=100)] = 0.1
    """How far a value may move: of pictures and recordings in units of the input range [0, 1], at
    most 0.5 under linf; of bands, series and columns in standard deviations of train."""


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
    """Gradient steps of the attack."""


class ApgdCe(_Attack):
    """PGD whose steps shorten by themselves (Croce and Hein 2020, arXiv:2003.01690)."""

    kind: Literal["apgd_ce"]
    steps: Annotated[int, Field(ge=1, le=100)] = 7
    """Gradient steps of the attack."""


AttackSection = Annotated[Fgsm | RsFgsm | NFgsm | Pgd | ApgdCe, Field(discriminator="kind")]


class _Harden(Section):
    """What every mode has."""

    epochs: Count = 5
    """Passes over the training samples."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    """Peak rate of the fine-tuning; it falls to zero by a half cosine."""
    warmup_epochs: Annotated[float, Field(ge=0)] = 0.0
    """Epochs in which epsilon grows from zero to its full size."""
    ema: Fraction | None = None
    """Weight of the old in a running mean of the weights, such as 0.999; the mean is what is
    validated and kept. null: the weights themselves."""
    max_clean_drop: Share | None = None
    """Most that clean accuracy may fall: kept is the most robust epoch within it, and the network
    as it came where there is none. null: the last epoch, whatever it costs."""


class FgsmMix(_Harden):
    """Clean and adversarial batch in one pass (Goodfellow et al. 2015, arXiv:1412.6572)."""

    mode: Literal["fgsm_mix"]
    """A clean and an adversarial batch in one pass."""
    attack: Fgsm = Fgsm()
    """The attack to train against."""
    clean_share: Share = 0.5
    """Weight of the clean batch in the loss; the adversarial batch has the rest."""


class Fast(_Harden):
    """Adversarial batches of one step, with a guard (Wong et al. 2020, arXiv:2001.03994).

    Such training may collapse: the network then resists one step, and PGD not at all. The guard
    goes back to the weights of the most robust epoch.
    """

    mode: Literal["fast"]
    """One step, with a guard against collapse."""
    attack: Annotated[RsFgsm | NFgsm, Field(discriminator="kind")] = RsFgsm(kind="rs_fgsm")
    """The attack to train against."""
    on_collapse: Literal["pgd", "stop"] = "pgd"
    """What follows when the guard has gone back: go on with PGD of 7 steps, or stop."""


class Adversarial(_Harden):
    """Batches of PGD examples (Madry et al. 2018, arXiv:1706.06083)."""

    mode: Literal["pgd"] = "pgd"
    """Adversarial training (Madry et al. 2018)."""
    attack: Annotated[Pgd | ApgdCe | Substitute, Field(discriminator="kind")] = Pgd(kind="pgd")
    """The attack to train against."""
    clean_share: Share = 0.0
    """Weight of the clean batch in the loss; the adversarial batch has the rest. 0: no clean batch
    at all, which takes less time."""


class Trades(_Harden):
    """Cross-entropy and a KL consistency term (Zhang et al. 2019, arXiv:1901.08573)."""

    mode: Literal["trades"]
    """TRADES (Zhang et al. 2019)."""
    attack: Pgd = Pgd(kind="pgd")
    """The attack to train against."""
    beta: Positive = 6.0
    """Weight of the KL consistency term: the larger, the more robust and the less accurate."""


def _which_mode(value: object) -> str:
    """Return the mode of a `harden` section: pgd where none is named."""
    mode = value.get("mode", "pgd") if isinstance(value, dict) else getattr(value, "mode", "")
    return str(mode)


Harden = Annotated[
    Annotated[FgsmMix, Tag("fgsm_mix")]
    | Annotated[Fast, Tag("fast")]
    | Annotated[Adversarial, Tag("pgd")]
    | Annotated[Trades, Tag("trades")],
    Discriminator(_which_mode),
]
