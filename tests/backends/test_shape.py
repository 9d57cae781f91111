"""A total batch is cut into micro-batches that fit, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.backends.shape import batch_shape
from trivium.errors import ConfigError
from trivium.schema import HardwareConfig, SftMethod


@given(st.integers(1, 64), st.integers(1, 64))
def test_a_batch_is_its_micro_batches_together_or_refused(total, most):
    method, hardware = SftMethod(total_batch_size=total), HardwareConfig(per_device_train_batch_size=most)
    if total % min(total, most):
        with pytest.raises(ConfigError, match=f"method.total_batch_size={total} is not a multiple"):
            batch_shape(method, hardware)
    else:
        micro, accumulation = batch_shape(method, hardware)
        assert micro * accumulation == total and micro <= most
