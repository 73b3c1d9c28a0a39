"""The quality of the encoder files' codes on the test split."""

from dataclasses import replace

from pipeline.arrays import Array, only
from pipeline.artifacts import Inputs
from pipeline.data.dataset import Dataset
from pipeline.device.measure import run_file
from pipeline.documents.files import EncoderFiles
from pipeline.documents.parity import EncoderResult
from pipeline.models.predict import predict
from pipeline.models.save import load_keras
from pipeline.ondevice.prepare import prepare_input
from pipeline.seeds import fold_seed
from pipeline.verify import embedding
from pipeline.verify.held import Held

COMPONENT_SAMPLES = 5000  # that principal components are fitted on


def measure_encoder(
    held: Held, inputs: Inputs, encoder: EncoderFiles | None, *, seed: int
) -> dict[str, EncoderResult] | None:
    """Return the quality of the encoder's codes, file by file; None where there is no encoder."""
    if encoder is None:
        return None
    plain = held.dataset.preprocess.model_copy(update={"anomaly": None, "target": None})
    dataset = replace(held.dataset, preprocess=plain)
    codes = only(predict(load_keras(inputs["files"] / encoder.model), dataset, held.positions))
    has_classes = held.dataset.preprocess.anomaly is None and dataset.class_names is not None
    labels = held.labels if has_classes else None
    trained = _flat(dataset, dataset.split("train")[:COMPONENT_SAMPLES])
    measured = _flat(dataset, held.positions[: embedding.MOST])
    rows = {}
    for entry in encoder.files:
        found = only(run_file(inputs["files"] / entry.file, plain, held.raw).outputs)
        cluster_seed = fold_seed(seed, "clusters")
        rows[entry.file] = EncoderResult(
            codes=embedding.compare_codes(codes, found),
            clustering=embedding.compare_clusters(codes, found, labels, seed=cluster_seed),
            reduction=embedding.measure_reduction(trained, measured, found),
        )
    return rows


def _flat(dataset: Dataset, positions: Array) -> Array:
    """Return model inputs as one row a sample."""
    (entry,) = dataset.preprocess.inputs
    return prepare_input(dataset.read(positions)[entry.name], entry).reshape(len(positions), -1)
