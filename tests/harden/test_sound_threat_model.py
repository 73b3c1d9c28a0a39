"""Sound under attack: the recording through its log-mel bands, or the bands themselves."""

import numpy as np
import pytest
import tensorflow as tf

from pipeline.harden.fit_threat_model import FULL_SCALE, fit_threat_model
from pipeline.harden.run_attack import model_inputs, outputs_of, samples_of
from tests.device.lenient import prepare_input
from tests.harden import fakes

BANDS = 1e-4  # TensorFlow's Fourier transform against NumPy's, after the logarithm
RECORDING = {"on": "waveform", "epsilon": 0.01}


@pytest.mark.parametrize("features", ["log_mel", "mfcc"])
def test_the_bands_of_a_moved_recording_are_what_the_device_hears(features: str) -> None:
    data = fakes.sounds()
    heard_as = {"features": features, "coefficients": 12}
    data.preprocess.inputs[0] = data.preprocess.inputs[0].model_copy(update=heard_as)
    threat = fit_threat_model(data, fakes.asked(**RECORDING), None, where="audit")
    samples = samples_of(data, threat, np.arange(24))
    rng = np.random.default_rng(0)
    moved = np.clip(samples.x + rng.integers(-300, 301, samples.x.shape), -32768, 32767)
    heard = model_inputs(threat, samples, moved.astype(np.float32))["sound"]
    device = prepare_input(moved.astype(np.int16), data.preprocess.inputs[0])
    np.testing.assert_allclose(heard, device, atol=BANDS)


def test_the_gradient_reaches_the_recording() -> None:
    data = fakes.sounds()
    threat = fit_threat_model(data, fakes.asked(**RECORDING), None, where="audit")
    samples = samples_of(data, threat, np.arange(4))
    x = tf.constant(samples.x)
    weights = np.random.default_rng(1).normal(size=(14, 12, 1)).astype(np.float32)

    def total(x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(threat.inputs(x, samples.given)["sound"] * weights, axis=(1, 2, 3))

    with tf.GradientTape() as tape:
        tape.watch(x)
        value = total(x)
    gradient = tape.gradient(value, x).numpy()
    direction = np.sign(gradient)
    ahead, behind = (total(tf.constant(samples.x + s * direction)) for s in (1.0, -1.0))
    slope = (ahead - behind).numpy() / 2
    np.testing.assert_allclose(slope, np.abs(gradient).sum(axis=1), rtol=0.05)


def test_a_found_recording_has_16_bits_and_is_near() -> None:
    data = fakes.sounds()
    model = fakes.network(data)
    threat, samples, found = fakes.attacked(data, model, **RECORDING)
    assert (found == np.round(found)).all()
    assert np.abs(found - samples.x).max() <= 0.01 * FULL_SCALE
    assert found.min() >= -32768
    assert found.max() <= 32767
    assert not threat.is_masked
    answers = [outputs_of(model, threat, samples, x=x) for x in (samples.x, found)]
    own = np.arange(24), samples.labels
    assert np.log(answers[1][own]).mean() < np.log(answers[0][own]).mean()


def test_bands_move_within_what_train_has_shown() -> None:
    data = fakes.sounds()
    threat, samples, found = fakes.attacked(data, fakes.network(data), epsilon=0.4)
    bands = samples.x
    assert bands.shape[1:] == (14, 12, 1)
    assert np.abs(found - bands).max() <= 0.4 + 1e-6
    low, high = bands.min(axis=(0, 1)), bands.max(axis=(0, 1))
    assert (found >= low - 1e-6).all()
    assert (found <= high + 1e-6).all()
    assert not threat.is_masked
