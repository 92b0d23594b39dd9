from dataclasses import replace

import numpy as np
import pytest

from gen.estimate.energy import PROCESSES
from gen.estimate.estimate import estimate_model, make_target
from gen.estimate.model_shapes import MODELS, ModelShape
from gen.estimate.published import compare_published
from gen.imports.decoder_shapes import Decoder
from gen.plan.cycles import Cycles
from gen.plan.devices import DEVICES, device_named
from gen.plan.plan import Fold, plan_network
from golden.errors import TritweaveError
from golden.network import Layer, Network
from golden.schemes.quantisers import SCHEMES

TINY = ModelShape("tiny", Decoder(3, 256, 512, 4, 2, 64), 100, False)
FOLD = Fold(16, 16, 8)
PRODUCTS = 3 * (2 * 256 * 256 + 2 * 128 * 256 + 3 * 512 * 256)


def estimates(model=TINY, fold: Fold | None = FOLD, packing="2b", device=None, mhz=100.0, bandwidth=1.6):
    target = make_target(model, fold, packing, device_named(device) if device else None, mhz, bandwidth)
    return {estimate.scheme: estimate for estimate in estimate_model(model, target)}


def test_all_schemes_are_there_and_fp16_is_first():
    assert list(estimates()) == ["fp16", *SCHEMES]


def test_bytes():
    found = estimates()
    assert TINY.linear == PRODUCTS
    assert found["fp16"].weight_bytes == 2 * PRODUCTS
    assert found["b1.58"].weight_bytes == PRODUCTS / 4
    assert found["b1.58"].model_bytes == PRODUCTS / 4 + 2 * TINY.others
    rows = 3 * (2 * 256 + 2 * 128 + 2 * 512 + 256)
    assert found["bwn"].weight_bytes == PRODUCTS / 4 + 2 * rows
    assert found["group64"].weight_bytes == PRODUCTS / 4 + 2 * PRODUCTS / 64
    assert found["group64"].bits == 2 + 16 / 64
    assert found["onebit"].weight_bytes == found["bwn"].weight_bytes
    assert found["billm"].weight_bytes == 7 * PRODUCTS / 4 + 2 * 7 * PRODUCTS / 128
    assert estimates(packing="5t8b")["b1.58"].weight_bytes == pytest.approx(PRODUCTS / 5)


def test_atom_keeps_an_eighth_of_a_small_layer_in_six_digits():
    # 256 inputs: 224 in two segments and 32 outliers; 512: 448 in four and 64.
    short, long = 3 * (2 * 256 + 2 * 128 + 2 * 512), 3 * 256
    trits = (3 * 224 + 6 * 32) * short + (3 * 448 + 6 * 64) * long
    scales = (2 * 3 + 6) * short + (4 * 3 + 6) * long
    assert estimates()["atom"].weight_bytes == trits / 4 + 2 * scales


def test_cycles_of_one_plane_are_those_of_an_engine():
    layers = tuple(Layer(np.ones((layer.outputs, layer.inputs), np.int8), 1.0, True) for layer in TINY.layers)
    config = plan_network(Network("wide", layers[:1]), FOLD).config
    found = estimates()["b1.58"]
    assert found.cycles == 3 * Cycles(config, layers).array
    assert found.cycles
    assert found.milliseconds == pytest.approx(found.cycles / 1e5)


def test_planes_segments_and_the_drain_take_cycles():
    found = estimates()
    tiles = 3 * np.array([16, 8, 8, 16, 32, 32, 16])
    segments = np.array([2, 2, 2, 2, 2, 2, 4])
    assert found["billm"].cycles == (tiles * segments).sum() * 7 * 8
    assert found["group64"].cycles == (tiles * segments).sum() * 2 * 4
    # 4 chunks of a segment, but a tile of 16 rows leaves in 8 cycles by two lanes.
    assert estimates(fold=Fold(16, 16, 2))["group64"].cycles == (tiles * segments).sum() * 2 * 8
    # Segments of 128 and 96 in three planes and 32 outliers in six; for 512 inputs, exactly twice as much.
    assert found["atom"].cycles == (tiles * segments // 2).sum() * (3 * (8 + 6) + 6 * 2)


def test_times_and_memory():
    found = estimates(bandwidth=0.5)["b1.58"]
    assert found.memory_milliseconds == pytest.approx(PRODUCTS / 4 / 0.5e9 * 1e3)
    assert not found.on_chip
    assert found.token_milliseconds == max(found.milliseconds or 0, found.memory_milliseconds)
    large = estimates(device="ecp5-85f", bandwidth=0.01)["b1.58"]
    assert large.on_chip == (large.weight_bytes <= 208 * 18432 / 8)
    assert large.on_chip
    assert large.token_milliseconds == large.milliseconds
    assert large.memory_milliseconds > (large.milliseconds or 0)
    assert estimates()["fp16"].token_milliseconds is None


def test_energy():
    found = estimates()
    assert found["fp16"].millijoules == pytest.approx({"45 nm": PRODUCTS * 1.5e-9, "7 nm": PRODUCTS * 0.5e-9})
    assert found["b1.58"].millijoules == pytest.approx({"45 nm": PRODUCTS * 0.03e-9, "7 nm": PRODUCTS * 0.007e-9})
    assert found["b1.58"].wide_millijoules == pytest.approx(PRODUCTS * 0.1e-9)
    assert found["atom"].millijoules["7 nm"] is None
    assert found["group64"].wide_millijoules == pytest.approx(PRODUCTS * (0.1 + 3.2 / 64) * 1e-9)
    assert PROCESSES["7 nm"].ratio == pytest.approx(71.4, abs=0.05)


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_gets_a_fold_that_it_has_room_for(device):
    target = make_target(MODELS["bitnet-700m"], None, "2b", device_named(device), None, 1.6)
    assert target.fold.rows * target.fold.columns * 20 < DEVICES[device].lut4
    assert target.mhz == {"ice40-up5k": 24, "ice40-hx8k": 60}.get(device, 100)


def test_larger_devices_are_faster():
    cycles = [
        estimates(MODELS["bitnet-3b"], None, device=name)["b1.58"].cycles or 0
        for name in ("ice40-hx8k", "ecp5-25f", "ecp5-85f")
    ]
    assert cycles == sorted(cycles, reverse=True)
    assert len(set(cycles)) == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"packing": "7b"}, "packing '7b' is not known"),
        ({"mhz": 0.0}, "the clock is 0.0; it must be above 0"),
        ({"mhz": float("nan")}, "the clock is nan"),
        ({"bandwidth": -1.0}, "the bandwidth is -1.0"),
        ({"bandwidth": float("inf")}, "the bandwidth is inf"),
        ({"fold": Fold(3, 4, 2)}, "rows is 3; it must be a multiple of lanes"),
        (
            {"model": replace(TINY, decoder=Decoder(1, 70000, 64, 1, 1, 64))},
            "is 70000; it must be an integer from 1 to",
        ),
    ],
)
def test_settings_that_are_none_are_refused(settings, message):
    with pytest.raises(TritweaveError, match=message):
        estimates(**settings)


@pytest.mark.parametrize("name", MODELS)
def test_published_figures_stand_beside_ours(name):
    model = MODELS[name]
    found = {row.what: row for row in compare_published(model, list(estimates(model).values()))}
    if name in ("bitnet-7b", "bitnet-13b", "bitnet-2b-4t"):
        assert found == {}
        return
    energy = found["energy of products, 7 nm"]
    assert energy.ours == pytest.approx(energy.published, abs=0.05)
    times = found["time of a token, FP16 over b1.58"]
    assert times.ours == pytest.approx(8)  # 16 bits over 2
    if name == "bitnet-70b":
        assert times.published == 4.1
        assert found["memory, FP16 over b1.58"].published == 7.16
        assert "memory, FP16" not in found
        return
    for what in ("memory, FP16", "memory, b1.58"):
        row = found[what]
        assert row.published is not None
        assert 0.4 < row.published - row.ours < 1.1
        assert f"{row.published - row.ours:.2f} GB more" in row.note
    # What is measured beyond the weights is the same for both, within a tenth of a gigabyte.
    beyond = [(found[what].published or 0) - found[what].ours for what in ("memory, FP16", "memory, b1.58")]
    assert beyond[0] == pytest.approx(beyond[1], abs=0.1)
