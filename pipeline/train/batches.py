"""Batches in a stateless order: epoch e of seed s is the same permutation in every process.

Any step of any epoch can be read without those before it, which is what makes a resumed run exact.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.arrays import Array, Arrays
from pipeline.data.dataset import Dataset
from pipeline.data.memmap_arrays import shuffled_range
from pipeline.seeds import fold_seed
from pipeline.tasks import TASKS
from pipeline.tasks.task import Target, pad_rows

CALL_BYTES = 8 << 20  # of raw samples that go into one call


def oversample_rare(positions: Array, labels: Array, seed: int) -> Array:
    """Repeat samples of rare classes until every class has as many as the most common one.

    Each is repeated equally often; the remainder is drawn without replacement.

    Args:
        positions: (n,), indices of the training samples.
        labels: (N,), class ids of all samples.
        seed: of the draw and the order.

    Returns:
        (classes * most,), indices in random order.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    ids, counts = np.unique(labels[positions], return_counts=True)
    most, parts = int(counts.max()), []
    for label in ids:
        own = generator.permutation(positions[labels[positions] == label])
        parts.append(np.tile(own, -(-most // len(own)))[:most])
    return generator.permutation(np.concatenate(parts))


@dataclass(frozen=True)
class Feed:
    """Training batches of one split; the last, incomplete batch of an epoch is left out."""

    dataset: Dataset
    positions: Array
    targets: Arrays
    """Targets of the loss, of every sample in `positions`: name -> class ids, scaled
    values, or whatever the task has; of ragged targets an array of arrays."""
    batch_size: int
    seed: int
    most_steps: int = 8
    """Steps that one call of the compiled function makes at most: the call itself costs 2 ms."""
    part: int = 0
    """Number of this process among those that share each batch."""
    parts: int = 1

    @property
    def batch(self) -> int:
        """Samples a step: the batch size, or all samples where there are fewer."""
        return min(self.batch_size, len(self.positions))

    @property
    def share(self) -> int:
        """Samples of each batch that are read here: the rows of this part, in its order."""
        return self.batch // self.parts

    @property
    def steps_a_call(self) -> int:
        """Steps of a call: fewer where a batch is large, for two calls are in memory at a time."""
        batch_bytes = self.dataset.sample_bytes * self.batch
        return int(np.clip(CALL_BYTES // max(1, batch_bytes), 1, self.most_steps))

    @property
    def steps(self) -> int:
        """Steps an epoch."""
        return len(self.positions) // self.batch

    def order(self, epoch: int) -> Array:
        """Return the samples of an epoch in its order: (steps, batch) indices into `positions`."""
        generator = np.random.Generator(np.random.Philox(fold_seed(self.seed, "order", epoch)))
        order = shuffled_range(len(self.positions), generator)
        return order[: self.steps * self.batch].reshape(self.steps, self.batch)

    def targets_of(self, index: Array) -> dict[str, Array]:
        """Return the targets of samples at indices (n,) into `positions`: name -> (n, ...)."""
        return {name: self._collate(name, index) for name in self.targets}

    def calls(
        self, epoch: int, first_step: int
    ) -> Iterator[tuple[int, dict[str, Array], dict[str, Array]]]:
        """Yield (step, inputs, targets) for each call from `first_step` on, read one call ahead.

        Inputs and targets have shape (steps in this call, samples, ...). Where several processes
        share a batch, each reads only its own rows; the order does not depend on their number.
        """
        order = self.order(epoch)[:, self.part * self.share : (self.part + 1) * self.share]
        starts = range(first_step, self.steps, self.steps_a_call)
        with ThreadPoolExecutor(1) as reader:
            waiting = [
                reader.submit(self._read, order[s : s + self.steps_a_call]) for s in starts[:1]
            ]
            for number, start in enumerate(starts):
                ahead = starts[number + 1 : number + 2]
                waiting += [
                    reader.submit(self._read, order[s : s + self.steps_a_call]) for s in ahead
                ]
                inputs, targets = waiting.pop(0).result()
                yield start, inputs, targets

    def _read(self, order: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        flat = order.ravel()
        raw = self.dataset.read(self.positions[flat])
        inputs, targets = (
            {name: values.reshape(*order.shape, *values.shape[1:]) for name, values in own.items()}
            for own in (raw, self.targets_of(flat))
        )
        return inputs, targets

    def _collate(self, name: str, index: Array) -> Array:
        """Return a target of some samples as one array (n, ...)."""
        values = self.targets[name]
        if name not in self._ragged:
            return np.asarray(values[index])
        target, rows = self._ragged[name]
        return pad_rows(values[index], target, rows=rows)

    @cached_property
    def _ragged(self) -> dict[str, tuple[Target, int]]:
        """Name of a ragged target -> what it is, and the rows of the longest sample."""
        task = TASKS[self.dataset.meta.task]
        return {
            target.name: (target, max(map(len, self.targets[target.name])))
            for target in task.targets
            if target.padding is not None
        }
