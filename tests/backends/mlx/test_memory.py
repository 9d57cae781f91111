"""Memory."""

import pytest
from tests.export import shapes

from trivium.backends.mlx.memory import checkpoint_layers, measured
from trivium.errors import TrainingError
from trivium.models import mlx
from trivium.schema import Config, ModelConfig


def test_a_full_device_is_one_sentence_and_other_errors_pass():
    said = "[metal::malloc] Attempting to allocate 34359738368 bytes which is greater than the maximum allowed buffer size"
    wanted = r"cpu ran out of memory; lower hardware.per_device_train_batch_size \(now 64"
    with pytest.raises(TrainingError, match=wanted), measured(Config()):
        raise RuntimeError(said)
    with pytest.raises(RuntimeError, match="shapes"), measured(Config()):
        raise RuntimeError("shapes do not fit")


def test_layers_of_other_models_are_left_alone(tmp_path):
    shapes.make("llama_tied", tmp_path, hidden=64)
    one, other = (mlx.load(ModelConfig(), str(tmp_path)).model for _ in range(2))
    before = type(other.layers[0])
    call = before.__call__
    checkpoint_layers(one)
    assert type(one.layers[0]) is not before and isinstance(one.layers[0], before)
    assert type(other.layers[0]) is before and before.__call__ is call
