"""What is examined, and how it came about: the trained network, the file that ships, the data."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.arrays import Array, Model, only
from pipeline.artifacts import Inputs
from pipeline.audit import membership
from pipeline.config.schema import Config, Train
from pipeline.data.dataset import Dataset
from pipeline.device.measure import run_file
from pipeline.documents.files import Files
from pipeline.documents.recipe import FileRecipe
from pipeline.documents.spec import Spec
from pipeline.models.save import give_start, load_keras
from pipeline.seeds import fold_seed


@dataclass(frozen=True)
class Attacked:
    """What is examined: the trained network, and the file that ships."""

    model: Any
    file: Path
    form: str
    recipe: FileRecipe
    dataset: Dataset
    held: Array
    """Samples that were not learnt, in random order (n,)."""
    spec: Spec
    spec_file: Path
    training: Train
    """The settings of its training: those that `tune` found, where it searched them."""
    learning: dict[str, Any]
    """Further arguments of `train_network`: batch size, augmentation, seed."""
    out: Path
    """Folder of the stage: what is kept over an interruption lies below it."""

    def ask(self, raw: Mapping[str, Array]) -> Array:
        """Return what the file answers to raw inputs: probabilities (N, K)."""
        return only(run_file(self.file, self.dataset.preprocess, raw).outputs)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes by id."""
        return self.dataset.class_names or ()

    def begin(self, model: Model) -> None:
        """Give a model the weights that training started from, where they were given."""
        give_start(model, self.spec_file.parent)

    @property
    def floor(self) -> float:
        """Least probability that the file's answers can tell."""
        return membership.STEP if self.form == "int8" else membership.FLOOR


def attacked_of(config: Config, inputs: Inputs, dataset: Dataset, *, out: Path) -> Attacked:
    """Return what is examined.

    Args:
        config: the whole of it.
        inputs: of the audit stage.
        dataset: what was learnt and held back.
        out: folder of the stage.
    """
    entry = Files.read(inputs["files"] / "files.json").shipped_entry
    spec = Spec.read(inputs["spec"] / "spec.json")
    return Attacked(
        load_keras(inputs["reference"] / "model.keras"),
        inputs["files"] / entry.file,
        entry.format,
        entry.recipe,
        dataset,
        dataset.split(config.verify.split),
        spec,
        inputs["spec"] / "spec.json",
        spec.train or config.train,
        {
            "batch_size": config.data.batch_size,
            "augment": [change.model_dump() for change in config.data.augment],
            "seed": fold_seed(config.seed, "audit"),
        },
        out,
    )
