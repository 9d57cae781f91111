import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.errors import DataError
from trivium.maths import weights as W
from trivium.schema import DistrustLoss, DistrustPublishedLoss, DistrustSampledLoss, UniformLoss

facts = st.lists(st.tuples(st.floats(0, 0.99), st.floats(0, 3.5)), min_size=1, max_size=60)
alphas = st.floats(0, 1000)


def split(pairs):
    return np.array([a for a, _ in pairs]), np.array([h for _, h in pairs])


@given(facts, alphas)
def test_mean_weight_is_one_and_every_weight_positive(pairs, alpha):
    w = W.distrust_weights(*split(pairs), alpha=alpha)
    assert w.mean() == pytest.approx(1, abs=1e-9)
    assert (w > 0).all()


@given(facts, alphas, st.floats(1.01, 100))
def test_max_ratio_bounds_the_ratio_and_keeps_the_mean(pairs, alpha, limit):
    w = W.distrust_weights(*split(pairs), alpha=alpha, max_ratio=limit)
    assert w.max() / w.min() <= limit * (1 + 1e-9)
    assert w.mean() == pytest.approx(1, abs=1e-9)


@given(facts, alphas)
def test_bits_and_nats_give_the_same_weights(pairs, alpha):
    a, h = split(pairs)
    np.testing.assert_allclose(W.distrust_weights(a, h, alpha, "bits"), W.distrust_weights(a, h, alpha, "nats"), rtol=1e-9)


@given(facts)
def test_alpha_zero_is_all_ones(pairs):
    assert (W.distrust_weights(*split(pairs), alpha=0.0) == 1.0).all()


@given(st.floats(0, 0.98), st.floats(0, 3.4), st.floats(0.01, 2))
def test_a_weight_never_falls_with_entropy_nor_rises_with_authority(a, h, alpha):
    w = W.distrust_weights([a, a, min(a + 0.01, 0.99), 0.0], [h, h + 0.1, h, 3.5], alpha)
    assert w[1] >= w[0] >= w[2]


def test_larger_alpha_moves_more_mass_to_primary_sources():
    a, h = np.array([0.05, 0.9, 0.85]), np.array([3.0, 0.5, 1.0])
    shares = [W.weight_report(W.distrust_weights(a, h, alpha), a)["weights/share_low"] for alpha in (0, 0.3, 1, 2.7, 8)]
    assert shares == sorted(shares) and shares[0] == pytest.approx(1 / 3) and shares[-1] > 0.9


def test_weights_by_hand():
    # d = (2, 1, 0) -> d² = (4, 1, 0), mean 5/3 -> s = (2.4, 0.6, 0)
    w = W.distrust_weights([0.0, 0.5, 0.5], [2.0, 2.0, 1.0], alpha=1.0)
    np.testing.assert_allclose(w, [1.7, 0.8, 0.5])


def test_nothing_to_distrust_gives_ones_and_says_so():
    found = W.policy(DistrustLoss(), [0.9, 0.9], [0.0, 1.0])
    assert (found.weights == 1).all() and "every weight is 1" in found.notice
    assert W.policy(DistrustLoss(), [0.1, 0.9], [3.0, 1.0]).notice == ""


@pytest.mark.parametrize(
    ("authority", "entropy", "said"),
    [
        ([0.1, float("nan")], [1, 1], "1 of 2 samples have an authority that is missing"),
        ([None, None, 0.1], [1, 1, 1], "2 of 3 samples have an authority that is missing"),
        ([0.1, 0.1], [float("inf"), float("nan")], "2 of 2 samples have an entropy"),
        ([0.1, 1.0], [1, 1], r"1 of 2 samples have an authority outside \[0, 0.99\] \(first: row 1\)"),
        ([0.1], [-1], "negative entropy"),
        ([0.1], [1, 1], "1 authorities but 2 entropies"),
    ],
)
@pytest.mark.parametrize("loss", [DistrustLoss(), DistrustSampledLoss(), DistrustPublishedLoss()])
def test_bad_provenance_is_a_data_error_with_its_count(loss, authority, entropy, said):
    with pytest.raises(DataError, match=said):
        W.policy(loss, authority, entropy)


def test_uniform_weights_need_no_provenance():
    assert W.policy(UniformLoss(), [None, 0.1], [None, None]).weights.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("a", "h", "value"), [(0.05, 7.0, 130.4), (0.75, 1.5, 0.035), (0.90, 1.0, 4.58), (0.95, 0.5, 16.8), (0.99, 0.0, 57.3)]
)
def test_published_term_gives_the_published_numbers(a, h, value):
    assert W.published_term([a], [h])[0] == pytest.approx(value, rel=0.01)


def test_published_policy_keeps_weights_at_one_and_says_its_gradient_is_zero():
    found = W.policy(DistrustPublishedLoss(alpha=2.0, lambda_weight=0.5), [0.0], [3.0])
    assert found.weights.tolist() == [1.0] and "gradient is zero" in found.notice
    assert found.offsets is not None and found.offsets[0] == pytest.approx(9.0, rel=1e-6)


@given(facts, st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_draws_are_as_proportional_as_whole_numbers_allow(pairs, size, seed):
    found = W.policy(DistrustSampledLoss(), *split(pairs))
    assert found.probabilities is not None
    counts = np.bincount(W.draw(found.probabilities, size, seed), minlength=len(pairs))
    assert counts.sum() == size
    assert (np.abs(counts - size * found.probabilities) < 1 + 1e-6).all()


def test_draws_and_orders_follow_the_seed():
    p = np.full(50, 0.02)
    assert (W.draw(p, 100, 3) == W.draw(p, 100, 3)).all() and (W.draw(p, 100, 3) != W.draw(p, 100, 4)).any()
    assert (W.order(50, 120, 3) == W.order(50, 120, 3)).all() and (W.order(50, 50, 3) != W.order(50, 50, 4)).any()


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 100))
def test_every_sample_comes_once_a_round(count, rounds, seed):
    indices = W.order(count, count * rounds, seed).reshape(rounds, count)
    assert (np.sort(indices, axis=1) == np.arange(count)).all()


def test_report_counts_tokens_and_bands():
    report = W.weight_report([3.0, 0.5, 0.5], [0.1, 0.5, 0.9], tokens=[10, 20, 40])
    assert report["weights/share_low"] == pytest.approx(30 / 60)
    assert report["weights/share_mid"] == pytest.approx(10 / 60)
    assert report["weights/share_high"] == pytest.approx(20 / 60)
    assert report["weights/ess_fraction"] == pytest.approx(16 / 9.5 / 3)
    assert report["weights/max_ratio"] == 6.0
    assert report["weights/ess_low"] == 1.0


def test_report_of_a_band_without_samples_is_zero():
    report = W.weight_report([1.0], [0.9])
    assert report["weights/share_low"] == 0.0 and report["weights/ess_low"] == 0.0 and report["weights/share_high"] == 1.0
