"""The audited model: trained network and shipped file, their data, and how they were trained."""

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
class AuditedModel:
    """The trained network and its shipped file."""

    model: Any
    """The trained Keras network."""
    file: Path
    """The shipped .tflite file."""
    form: str
    """Its format."""
    recipe: FileRecipe
    dataset: Dataset
    test: Array
    """Positions of the samples of `verify.split`, in random order (n,)."""
    spec: Spec
    spec_file: Path
    training: Train
    """The settings of its training: those of the best trial, where `tune` searched them."""
    learning: dict[str, Any]
    """Further arguments of `train_network`: batch size, augmentation, seed."""
    out: Path
    """Folder of the stage: what outlasts an interruption is below it."""

    def query(self, raw: Mapping[str, Array]) -> Array:
        """Return the file's probabilities (N, K) for raw inputs: name -> (N, ...)."""
        return only(run_file(self.file, self.dataset.preprocess, raw).outputs)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes by id."""
        return self.dataset.class_names or ()

    def begin(self, model: Model) -> None:
        """Give a model the weights that training started from, if any."""
        give_start(model, self.spec_file.parent)

    @property
    def min_probability(self) -> float:
        """Smallest probability that the file's outputs resolve."""
        return membership.STEP if self.form == "int8" else membership.FLOOR


def open_audited_model(
    config: Config, inputs: Inputs, dataset: Dataset, *, out: Path
) -> AuditedModel:
    """Return the model of a run, from the inputs of the audit stage and its folder `out`."""
    entry = Files.read(inputs["files"] / "files.json").shipped_entry
    spec = Spec.read(inputs["spec"] / "spec.json")
    return AuditedModel(
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
