"""What the trainers of all methods are told alike."""

import pytest
from trl import GRPOConfig, SFTConfig

from trivium.backends.torch.arguments import common_arguments
from trivium.schema import Config, GrpoMethod, HardwareConfig, SftMethod


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
