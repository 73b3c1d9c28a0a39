"""What an encoder's codes are worth, and what its integer file leaves of them. NumPy, scikit-learn.

Legend: N samples, C numbers of a code, D numbers of an input.
"""

import numpy as np

from pipeline.arrays import Array
from pipeline.documents.parity import CodeClustering, CodeParity, CodeReduction

NEIGHBORS = 10  # of a sample, that are compared with its neighbors in the other space
MOST = 1000  # samples: distances of all pairs are computed
DEFAULT_CLUSTERS = 8  # where there are no classes


def compare_codes(reference_NC: Array, found_NC: Array) -> CodeParity:
    """Return how far a file's codes are from the reference's."""
    reference, found = (x.astype(np.float64) for x in (reference_NC, found_NC))
    noise = float(((reference - found) ** 2).sum())
    power = float((reference**2).sum())
    norms = np.linalg.norm(reference, axis=1) * np.linalg.norm(found, axis=1)
    cosine = (reference * found).sum(axis=1) / np.maximum(norms, np.finfo(np.float64).tiny)
    near, near_too = (_nearest(x[:MOST]) for x in (reference, found))
    shared = [len(set(a) & set(b)) / len(a) for a, b in zip(near, near_too, strict=True)]
    return CodeParity(
        sqnr_db=10 * float(np.log10(power / noise)) if noise else 100.0,
        cosine=float(cosine.mean()),
        neighbor_overlap=float(np.mean(shared)),
    )


def _nearest(x: Array) -> Array:
    """Return the nearest other samples of each (N, k)."""
    from sklearn.neighbors import NearestNeighbors

    count = min(NEIGHBORS, len(x) - 1)
    return np.asarray(NearestNeighbors(n_neighbors=count).fit(x).kneighbors(return_distance=False))


def compare_clusters(
    codes_NC: Array, found_NC: Array, labels: Array | None, *, seed: int
) -> CodeClustering:
    """Return how k-means groups the codes: the file's as the reference's, and as the classes.

    Adjusted Rand index (Hubert and Arabie 1985): 1 for the same groups, 0 for chance.

    Args:
        codes_NC: of the reference.
        found_NC: of the file.
        labels: class ids (N,); None: there are none.
        seed: of k-means.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score

    count = DEFAULT_CLUSTERS if labels is None else len(np.unique(labels))
    ours, theirs = (
        KMeans(count, n_init=4, random_state=seed).fit_predict(x.astype(np.float64))
        for x in (codes_NC, found_NC)
    )
    return CodeClustering(
        clusters=count,
        with_reference=float(adjusted_rand_score(ours, theirs)),
        with_classes=None if labels is None else float(adjusted_rand_score(labels, theirs)),
    )


def measure_reduction(trained_ND: Array, inputs_ND: Array, found_NC: Array) -> CodeReduction:
    """Return how well codes preserve neighborhoods, beside as many principal components.

    Trustworthiness (Venna and Kaski 2001): 1 where all neighbors of a code were neighbors before.

    Args:
        trained_ND: training samples, flat, that the components are fitted on.
        inputs_ND: the samples of the codes, flat.
        found_NC: their codes.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import trustworthiness

    inputs, codes = inputs_ND[:MOST].astype(np.float64), found_NC[:MOST].astype(np.float64)
    count = min(NEIGHBORS, (len(inputs) - 1) // 2)
    size = min(codes.shape[1], *trained_ND.shape)
    components = PCA(size, random_state=0).fit(trained_ND).transform(inputs)
    return CodeReduction(
        input_size=int(inputs.shape[1]),
        code_size=int(codes.shape[1]),
        trustworthiness=float(trustworthiness(inputs, codes, n_neighbors=count)),
        pca_trustworthiness=float(trustworthiness(inputs, components, n_neighbors=count)),
    )
