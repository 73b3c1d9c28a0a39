"""Threat model of numbers and categories: the point that moves, its ball, and what is possible.

A point is what an attacker really holds. Of an image and of a sound's bands it is the model input;
of a table, a series and a recording it is the raw sample, in its own unit, and the attack goes
through the differentiable preprocessing. So every adversarial example is a row, a series or a
recording that could have been measured. Texts are in word_substitution.py, the statistics behind
radius and range in fit_threat_model.py.

Legend: B batch; P values of a point, of any shape (B, ...).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.arrays import Array, Model, Tensor
from pipeline.data.augment import augment
from pipeline.data.squeeze import squeeze_inputs
from pipeline.documents.preprocess import CodesEntry, ColumnsEntry, Entry, Preprocess
from pipeline.harden.ball import Ball, Norm
from pipeline.harden.category_choice import Choice, choose_categories
from pipeline.harden.input_gradient import quick
from pipeline.samples import KINDS
from pipeline.samples.columns import splice_columns

PointAttack = Callable[..., Any]

WHOLE_SLACK = 1e-3  # of one: a radius of 2 that float32 makes 1.9999 still reaches 2


@dataclass(frozen=True)
class Part:
    """One input of the model, and how far each of its values can be moved.

    Arrays broadcast with one sample of the point.
    """

    entry: Entry
    """Of preprocess.json."""
    shape: tuple[int, ...]
    """Of one sample of the point."""
    is_raw: bool
    """Whether the point is the raw sample; else it is the model input."""
    radius: Array
    low: Array
    high: Array
    whole: Array
    """Whether a value is a whole number."""
    choices: tuple[Choice, ...] = ()

    @property
    def name(self) -> str:
        """Name of the input."""
        return str(self.entry.name)

    @property
    def changeable_positions(self) -> list[int]:
        """Indices of the flattened values that an attacker can change, ascending."""
        radius = np.broadcast_to(self.radius, self.shape).ravel()
        chosen = [choice.index for choice in self.choices]
        return sorted({*np.flatnonzero(radius > 0).tolist(), *chosen})

    @property
    def size(self) -> int:
        """Values of one sample."""
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class PerturbationSet:
    """The points that an attacker can make of a sample, over one input or several at once."""

    preprocess: Preprocess
    """Contents of preprocess.json."""
    parts: tuple[Part, ...]
    norm: Norm
    classes: tuple[int, ...] | None = None
    """Classes that are attacked; None: all."""
    changes: tuple[Mapping[str, Any], ...] = ()
    """Sections of `data.augment`: done to training samples."""

    def ready(self, raw: Mapping[str, Any], seed: Tensor = None) -> dict[str, Any]:
        """Return name -> what an attack starts from: raw samples where those are attacked.

        Args:
            raw: name -> raw samples (B, ...).
            seed: of the training-only changes of the inputs that are ready; None: none is made.
        """
        raws = {part.name for part in self.parts if part.is_raw}
        found = {}
        for entry in self.preprocess.inputs:
            values = tf.convert_to_tensor(raw[entry.name])
            if entry.name in raws:
                found[entry.name] = tf.cast(values, tf.float32)
            else:
                x = KINDS[entry.kind].encode(tf, squeeze_inputs(tf, values, entry), entry)
                found[entry.name] = self._changed(x, seed)
        return found

    def point(self, given: Mapping[str, Any]) -> Any:
        """Return the point (B, ...) float32 of samples that are `ready`; unknown values are 0."""
        points = [_known(given[part.name]) for part in self.parts]
        if len(points) == 1:
            return points[0]
        return tf.concat([_flat(x, part) for x, part in zip(points, self.parts, strict=True)], 1)

    def base(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return name -> model input of samples that are `ready`, of tables in columns alone.

        Args:
            given: the samples as `ready` made them.
        """
        tables = [p for p in self.parts if p.is_raw and KINDS[p.entry.kind].is_row_of_cells]
        return {
            p.name: KINDS[p.entry.kind].encode(
                tf, squeeze_inputs(tf, given[p.name], p.entry), p.entry
            )
            for p in tables
        }

    def inputs(
        self,
        x: Tensor,
        given: Mapping[str, Any],
        seed: Tensor = None,
        *,
        base: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return name -> model input, with the point x in its place; unknown values stay unknown.

        Args:
            x: a point (B, ...).
            given: the samples as `ready` made them.
            seed: of the training-only changes of attacked raw inputs; None: none is made.
            base: result of `base`; None: it is computed.
        """
        found, base = dict(given), self.base(given) if base is None else base
        for part, own in zip(self.parts, self._split(x), strict=True):
            if part.is_raw:
                known = tf.where(tf.math.is_nan(given[part.name]), np.float32(np.nan), own)
                known = _near(known, part.entry)
                if part.name in base:
                    assert isinstance(part.entry, ColumnsEntry | CodesEntry)
                    moved = part.changeable_positions
                    own = splice_columns(tf, known, base[part.name], entry=part.entry, moved=moved)
                else:
                    own = KINDS[part.entry.kind].encode(tf, known, part.entry)
                own = self._changed(own, seed)
            found[part.name] = own
        return found

    def in_parts(self, x: Tensor, given: Mapping[str, Any]) -> dict[str, Array]:
        """Return name -> what an attacker holds of each attacked input; unknown values are NaN.

        Args:
            x: a point (B, ...).
            given: the samples as `ready` made them.
        """
        pieces = zip(self.parts, self._split(tf.convert_to_tensor(x)), strict=True)
        return {
            part.name: np.where(np.isnan(given[part.name]), np.nan, own).astype(np.float32)
            for part, own in pieces
        }

    def through(self, head: Any) -> Callable[..., Callable[..., Any]]:
        """Return (given, seed=None) -> (x, training) -> logits, for a model of named inputs."""
        head = quick(head)

        def bind(given: Mapping[str, Any], seed: Tensor = None) -> Callable[..., Any]:
            base = self.base(given)

            def model(x: Tensor, training: bool) -> Any:
                return head(self.inputs(x, given, seed, base=base), training=training)

            return model

        return bind

    def ball(self, share: Any = 1.0) -> Ball:
        """Return the ball of a point; its radius is a fraction `share` of the configured one.

        Values that cannot move have no range: they may lie outside of that of train.
        """
        radius, low, high = (self._joined(name) for name in ("radius", "low", "high"))
        low = np.where(radius > 0, low, -np.inf).astype(np.float32)
        high = np.where(radius > 0, high, np.inf).astype(np.float32)
        return Ball(self.norm, radius * share, low, high)

    def possible(self, moved: Tensor, x: Tensor) -> Any:
        """Return the point (B, ...) that can exist nearest to `moved`, on the way there from x.

        Whole numbers change by whole numbers, rounded towards x; a value leaves its range only
        where x lies outside of it; what cannot move is x's own.

        Args:
            moved: result of an attack.
            x: the clean point.
        """
        radius, whole = self._joined("radius"), self._joined("whole")
        low = tf.minimum(np.where(whole, np.ceil(self._joined("low")), self._joined("low")), x)
        high = tf.maximum(np.where(whole, np.floor(self._joined("high")), self._joined("high")), x)
        inside = tf.clip_by_value(moved, low, high)
        steps = tf.sign(inside - x) * tf.floor(tf.abs(inside - x) + WHOLE_SLACK)
        return tf.where(radius > 0, tf.where(whole, x + steps, inside), x)

    def attack(self, core: PointAttack | None) -> PointAttack:
        """Return (model, x, labels, seed, share=1.0) -> possible points with a greater loss.

        Categories are chosen first, one after the other; then the numbers move around that choice.

        Args:
            core: moves numbers: the same arguments; None: categories alone are chosen.
        """
        choices, does_move = self.choices, bool((self._joined("radius") > 0).any())

        def found(model: Model, x: Tensor, labels: Tensor, seed: Tensor, share: Any = 1.0) -> Any:
            start = choose_categories(model, x, labels, choices=choices) if choices else x
            moved = start
            if does_move and core is not None:
                moved = self.possible(core(model, start, labels, seed, share), start)
            return tf.stop_gradient(of_classes(moved, x, labels, classes=self.classes))

        return found

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        """The categories that can be chosen, by their indices in the flattened point."""
        starts = np.cumsum([0, *(part.size for part in self.parts)])
        return tuple(
            Choice(int(start) + choice.index, choice.codes)
            for part, start in zip(self.parts, starts, strict=False)
            for choice in part.choices
        )

    @property
    def is_masked(self) -> bool:
        """Whether something is fixed, so that no radius makes every attack succeed."""
        return bool((self._joined("radius") == 0).any()) or self.classes is not None

    def _joined(self, name: str) -> Array:
        """Return one of the arrays for the whole point."""
        arrays = [np.asarray(getattr(part, name)) for part in self.parts]
        if len(arrays) == 1:
            return arrays[0]
        shaped = zip(arrays, self.parts, strict=True)
        return np.concatenate([np.broadcast_to(a, part.shape).ravel() for a, part in shaped])

    def _split(self, x: Tensor) -> list[Any]:
        """Return the values of each part in a point."""
        if len(self.parts) == 1:
            return [x]
        pieces = tf.split(x, [part.size for part in self.parts], axis=1)
        shaped = zip(pieces, self.parts, strict=True)
        return [tf.reshape(piece, (-1, *part.shape)) for piece, part in shaped]

    def _changed(self, x: Tensor, seed: Tensor) -> Any:
        if seed is None or not self.changes or not x.dtype.is_floating:
            return x
        return augment(x, self.changes, seed)


def _near(raw: Tensor, entry: Entry) -> Any:
    """Return raw samples after squeezing; the gradient goes straight through (BPDA).

    Athalye et al. 2018 (arXiv:1802.00420), section 4.1.
    """
    return raw + tf.stop_gradient(squeeze_inputs(tf, raw, entry) - raw)


def _known(x: Tensor) -> Any:
    """Return x with 0 where it is not known."""
    return tf.where(tf.math.is_nan(x), 0.0, x)


def _flat(x: Tensor, part: Part) -> Any:
    return tf.reshape(x, (-1, part.size))


def of_classes(moved: Tensor, x: Tensor, labels: Tensor, *, classes: tuple[int, ...] | None) -> Any:
    """Return moved points (B, ...) of the attacked classes, and the others unchanged."""
    if classes is None:
        return moved
    is_attacked = tf.reduce_any(labels[:, None] == tf.constant(classes, labels.dtype), axis=1)
    return tf.where(tf.reshape(is_attacked, (-1, *[1] * (len(x.shape) - 1))), moved, x)
