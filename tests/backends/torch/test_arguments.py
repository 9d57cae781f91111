"""What the trainers of all methods are told alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trl import GRPOConfig, SFTConfig

from trivium.backends.torch.arguments import batch_shape, common_arguments
from trivium.errors import ConfigError
from trivium.schema import Config, GrpoMethod, HardwareConfig, SftMethod


@given(st.integers(1, 64), st.integers(1, 64))
def test_a_batch_is_its_micro_batches_together_or_refused(total, most):
    method, hardware = SftMethod(total_batch_size=total), HardwareConfig(per_device_train_batch_size=most)
    if total % min(total, most):
        with pytest.raises(ConfigError, match=f"method.total_batch_size={total} is not a multiple"):
            batch_shape(method, hardware)
    else:
        micro, accumulation = batch_shape(method, hardware)
        assert micro * accumulation == total and micro <= most


@pytest.mark.parametrize(("method", "kind"), [(SftMethod(), SFTConfig), (GrpoMethod(), GRPOConfig)])
def test_every_argument_reaches_the_trainer(method, kind, tmp_path):
    hardware = HardwareConfig(per_device_train_batch_size=8, device="cpu", dtype="float32")
    config = Config(name="here", method=method, hardware=hardware, seed=11)
    found = common_arguments(config, tmp_path, 30)
    made = kind(**found)
    assert (made.max_steps, made.warmup_steps, made.seed, made.save_steps) == (30, 3, 11, 30)
    assert made.per_device_train_batch_size * made.gradient_accumulation_steps == method.total_batch_size
    assert made.learning_rate == method.learning_rate and made.lr_scheduler_type == method.lr_scheduler_type
    assert made.use_cpu and not made.bf16 and not made.fp16 and made.output_dir == str(tmp_path)
