"""Fine-tune against an attack.

Reads dataset, reference; writes model.keras (the reference from here on), history.csv,
robustness.json: clean and robust accuracy before, after each epoch and at the end, on validation
data; which epoch was kept; and the recall of each class.
"""

from pathlib import Path

from pipeline.artifacts import WORK, Inputs, Metrics
from pipeline.config.schema import Config
from pipeline.config.space_schema import settings_of
from pipeline.data.dataset import THRESHOLD, Dataset, open_dataset
from pipeline.documents.robustness import Robustness
from pipeline.documents.threshold import Threshold
from pipeline.documents.training import FineTuning
from pipeline.harden.describe_threat_model import describe_perturbation, threat_model_document
from pipeline.harden.fine_tune import Plan, harden_network, steps_of
from pipeline.models.save import load_keras, save_keras
from pipeline.train.forgetting import validation_recall
from pipeline.train.history import write_history
from pipeline.train.losses import loss_of
from pipeline.train.make import reset_keras
from pipeline.train.threshold import place_threshold, shift_bias


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Fine-tune the trained model on adversarial batches."""
    reset_keras()
    settings = config.harden
    assert settings is not None  # else the stage is off
    dataset, start = open_dataset(inputs["dataset"]), inputs["reference"] / "model.keras"
    before = validation_recall(load_keras(start), dataset, config.task)
    start = _without_threshold(inputs["reference"], dataset, out / WORK)
    hardened = harden_network(start, dataset, _plan(config), out=out)
    if config.decision is not None:
        place_threshold(hardened.model, dataset, config.decision).write(out / THRESHOLD)
    save_keras(hardened.model, out / "model.keras")
    write_history(out / "history.csv", hardened.history)
    after = validation_recall(hardened.model, dataset, config.task)
    Robustness(
        norm=getattr(settings.attack, "norm", None),
        epsilon=settings_of(settings.attack)["epsilon"],
        perturbation=describe_perturbation(hardened.threat),
        threat_model=threat_model_document(hardened.threat),
        mode=settings.mode,
        attack=settings.attack.model_dump(mode="json"),
        steps=steps_of(settings),
        samples=len(hardened.attacked_positions),
        before=hardened.before,
        after=hardened.after,
        max_clean_drop=settings.max_clean_drop,
        fine_tuning=FineTuning(before=before, after=after),
        **dict(hardened.course),
    ).write(out / "robustness.json")
    measured = {
        name: (getattr(hardened.after, name), f"(was {getattr(hardened.before, name):.4g})")
        for name in ("clean_accuracy", "robust_accuracy")
    }
    return Metrics({f"val_{name}": value for name, value in measured.items()})


def _without_threshold(reference: Path, dataset: Dataset, work: Path) -> Path:
    """Return the trained model as it was before the threshold was built in: that is learned from.

    Args:
        reference: folder of model.keras and, where it has one, threshold.json.
        dataset: whose classes they are.
        work: folder for another file.
    """
    model, path = reference / "model.keras", reference / THRESHOLD
    if not path.exists():
        return model
    placed, names = Threshold.read(path), list(dataset.class_names or ())
    plain = load_keras(model)
    shift_bias(plain, names.index(placed.positive), -placed.shift)
    work.mkdir(parents=True, exist_ok=True)
    save_keras(plain, work / "start.keras")
    return work / "start.keras"


def _plan(config: Config) -> Plan:
    """Return how the network is hardened."""
    return Plan(
        config.harden,
        config.train.optimizer,
        loss_of(config.train, config.task),
        config.task,
        config.train.class_weights,
        batch_size=config.data.batch_size,
        augment=[change.model_dump() for change in config.data.augment],
        seed=config.seed,
        strategy=config.train.strategy,
        scaling=config.train.rate_scaling,
    )
