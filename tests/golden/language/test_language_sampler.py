import numpy as np
import pytest

from golden.errors import TritweaveError
from golden.language.embedding import Logits
from golden.language.sampler import Sampler, at_sampler, noise_table, state_of
from golden.language.scalars import Scalars


def logits(values: list[int], unit: float = 1 / 64) -> Logits:
    return Logits(np.array(values), Scalars(*(part.reshape(1) for part in Scalars.constant(unit, 8))))


def test_without_a_temperature_the_first_of_the_largest() -> None:
    sampler = Sampler()
    state = sampler.state
    assert sampler.choose(logits([3, 9, -1, 9]), 8) == 1
    assert sampler.state == state


def test_the_shift_register_is_marsaglia_s() -> None:
    sampler = Sampler(1.0)
    sampler.state = 1
    assert sampler.draw(2) == [270369 >> 22, 67634689 >> 22]
    assert sampler.state == 67634689


def test_seeds_are_states_and_no_two_are_equal() -> None:
    states = {state_of(seed) for seed in (*range(2000), 0xFFFFFFFE, 0xFFFFFFFD)}
    assert len(states) == 2002
    assert 0 not in states
    assert all(0 < state < 1 << 32 for state in states)
    with pytest.raises(TritweaveError, match="the seed is 4294967295; it is a whole number from 0 to 4294967294"):
        state_of(0xFFFFFFFF)
    with pytest.raises(TritweaveError, match="the seed is -1"):
        Sampler(1.0, -1)


def test_the_noise_is_gumbel_s() -> None:
    table = noise_table()
    assert table[[0, 376, 1023]].tolist() == [-750, 0, 2816]
    uniform = (np.arange(1024) + 0.5) / 1024
    np.testing.assert_allclose(2.0 ** (-table / 256), -np.log(uniform), rtol=2e-3)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_come_as_often_as_softmax_says(temperature: float) -> None:
    values = [0, 64, 128, 96, -192, 32]
    sampler, counts, draws = Sampler(temperature, 7), np.zeros(6), 6_000
    for _ in range(draws):
        counts[sampler.choose(logits(values), 12)] += 1
    expected = 2.0 ** (np.array(values) / 64 / temperature)
    expected *= draws / expected.sum()
    assert (np.abs(counts - expected) < 4 * np.sqrt(expected) + 0.01 * expected).all()


def test_the_same_seed_chooses_the_same() -> None:
    chosen = [[sampler.choose(logits([9] * 50), 8) for _ in range(40)] for sampler in (Sampler(1, 5), Sampler(1, 5))]
    assert chosen[0] == chosen[1]
    assert len(set(chosen[0])) > 20


def test_logits_at_the_sampler_round_down_and_saturate() -> None:
    found = at_sampler(np.array([-1, 3, 1 << 20]), Scalars(np.array([129]), np.array([-14])))
    assert found.tolist() == [-3, 6, (1 << 19) - 1]


@pytest.mark.parametrize("temperature", [-1.0, 0.01, 65.0, float("nan")])
def test_temperatures_out_of_range(temperature: float) -> None:
    with pytest.raises(TritweaveError, match=r"it is 0, or from 0\.015625 to 64"):
        Sampler(temperature)
