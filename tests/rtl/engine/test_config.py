# amaranth: UnusedElaboratable=no
import re
from dataclasses import replace
from typing import Any

import pytest

from golden.errors import TritweaveError
from rtl.array.interface import ArrayConfig
from rtl.engine.config import EngineConfig
from rtl.engine.drain import DrainConfig
from rtl.layouts import levels
from rtl.limits import check_range
from rtl.memory.activation_buffer import BufferConfig
from rtl.quantiser.config import QuantizerConfig

ARRAY = {"rows": 4, "columns": 6, "inputs": 12}
BUFFER = {"columns": 6, "lanes": 2, "depths": (3,)}
DRAIN = {"rows": 4, "lanes": 2, "width": 12}
QUANTISER = {"lanes": 2, "width": 12, "depths": (6,)}
ENGINE: dict[str, Any] = {
    "rows": 4,
    "columns": 6,
    "lanes": 2,
    "max_inputs": 12,
    "max_hidden": 9,
    "max_outputs": 9,
    "layers": 2,
    "weight_words": 5,
    "correction_words": 7,
}
OWNERS = {
    "array": (ArrayConfig, ARRAY),
    "activation buffer": (BufferConfig, BUFFER),
    "drain": (DrainConfig, DRAIN),
    "quantiser": (QuantizerConfig, QUANTISER),
    "engine": (EngineConfig, ENGINE),
}

LIMITS = [
    ("array", "rows", 1, 1024),
    ("array", "columns", 1, 1024),
    ("array", "inputs", 1, 1 << 23),
    ("activation buffer", "columns", 1, 1024),
    ("activation buffer", "lanes", 1, 6),
    ("drain", "rows", 1, 1024),
    ("drain", "lanes", 1, 4),
    ("drain", "width", 1, 32),
    ("quantiser", "lanes", 1, 1024),
    ("quantiser", "width", 2, 63),
    ("engine", "rows", 1, 1024),
    ("engine", "columns", 1, 1024),
    ("engine", "lanes", 1, 4),
    ("engine", "max_inputs", 1, 65536),
    ("engine", "max_hidden", 1, 65536),
    ("engine", "max_outputs", 1, 65536),
    ("engine", "layers", 1, 1024),
    ("engine", "vectors", 1, 2),
    ("engine", "weight_words", 1, 1 << 24),
    ("engine", "correction_words", 1, 1 << 24),
]


@pytest.mark.parametrize(("owner", "name", "low", "high"), LIMITS)
def test_a_value_beyond_its_limits_is_refused_with_name_value_and_limits(
    owner: str, name: str, low: int, high: int
) -> None:
    config, parameters = OWNERS[owner]
    for value in (low - 1, high + 1, -5, float(high), True, "3", None):
        message = f"{owner}: {name} is {value!r}; it must be an integer from {low} to {high}"
        with pytest.raises(TritweaveError, match=f"^{re.escape(message)}$"):
            config(**(parameters | {name: value}))


@pytest.mark.parametrize(("owner", "name", "low", "high"), LIMITS)
def test_the_limits_themselves_are_taken(owner: str, name: str, low: int, high: int) -> None:
    config, parameters = OWNERS[owner]
    # One lane divides everything; the lanes' own upper limit is that of the sides, which they then divide.
    others = {"lanes": 1} | ({"rows": high, "columns": high} if name == "lanes" else {})
    known = {key: value for key, value in (parameters | others).items() if key in parameters}
    for value in (low, high):
        assert getattr(config(**(known | {name: value})), name) == value


@pytest.mark.parametrize(("owner", "parts"), [("activation buffer", "regions"), ("quantiser", "channels")])
@pytest.mark.parametrize(
    ("depths", "message"),
    [
        ((), "number of {parts} is 0; it must be an integer from 1 to 16"),
        ((1,) * 17, "number of {parts} is 17; it must be an integer from 1 to 16"),
        ((3, 0), "depth is 0; it must be an integer from 1 to 65536"),
        ((65537, 3), "depth is 65537; it must be an integer from 1 to 65536"),
    ],
)
def test_depths_beyond_their_limits_are_refused(owner: str, parts: str, depths: tuple[int, ...], message: str) -> None:
    config, valid = OWNERS[owner]
    with pytest.raises(TritweaveError, match=f"^{owner}: {re.escape(message.format(parts=parts))}$"):
        config(**(valid | {"depths": depths}))


@pytest.mark.parametrize(
    ("owner", "parameters", "message"),
    [
        ("activation buffer", {"lanes": 4}, "columns is 6; it must be a multiple of lanes, which is 4"),
        ("drain", {"lanes": 3}, "rows is 4; it must be a multiple of lanes, which is 3"),
        ("engine", {"lanes": 3}, "rows is 4; it must be a multiple of lanes, which is 3"),
        ("engine", {"columns": 7}, "columns is 7; it must be a multiple of lanes, which is 2"),
        ("engine", {"packing": "1b"}, "packing is '1b'; it is one of 2b, 3t5b, 5t8b"),
        ("engine", {"divider": "magic"}, "divider is 'magic'; it is one of restoring, multiplying"),
        ("engine", {"array": "magic"}, "array is 'magic'; it is one of portable"),
    ],
)
def test_values_that_do_not_fit_each_other_or_are_not_known_are_refused(
    owner: str, parameters: dict[str, Any], message: str
) -> None:
    config, valid = OWNERS[owner]
    with pytest.raises(TritweaveError, match=f"^{owner}: {re.escape(message)}"):
        config(**(valid | parameters))


def test_an_engine_derives_its_parts() -> None:
    config = EngineConfig(
        rows=16,
        columns=32,
        lanes=8,
        max_inputs=784,
        max_hidden=256,
        max_outputs=10,
        layers=3,
        weight_words=700,
        correction_words=66,
    )
    assert config.accumulator_width == 18  # 127 · 784 = 99568, 17 bits and a sign
    assert config.array_config == ArrayConfig(16, 32, 784)
    assert config.array_latency == 7
    assert config.drain == DrainConfig(16, 8, 18)
    assert config.quantizer == QuantizerConfig(8, 18, (32, 32, 98))
    assert config.buffer == BufferConfig(32, 8, (8, 8, 25, 25))
    assert config.result_words == 2
    assert config.depths == {"program": 3, "corrections": 66, "weights": 700}
    assert config.transfers == {"program": (32, 32), "corrections": (18,) * 8, "weights": (32,) * 32}


@pytest.mark.parametrize(
    ("packing", "transfers"),
    [("2b", (32, 18)), ("3t5b", (32, 13)), ("5t8b", (32, 8))],
)
def test_the_last_transfer_of_a_weight_word_keeps_only_its_bits(packing: str, transfers: tuple[int, ...]) -> None:
    config = replace(EngineConfig(**ENGINE), rows=5, columns=5, lanes=1, packing=packing)
    assert config.transfers["weights"] == transfers


def test_the_quantiser_of_a_narrow_engine_still_holds_every_input() -> None:
    config = replace(EngineConfig(**ENGINE), max_inputs=1, max_hidden=1)
    assert (config.accumulator_width, config.quantizer.width) == (8, 9)


@pytest.mark.parametrize(("count", "expected"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (1024, 10), (1025, 11)])
def test_levels_are_those_of_a_binary_tree(count: int, expected: int) -> None:
    assert levels(count) == expected


def test_a_value_within_limits_passes() -> None:
    for value in (3, 4, 5):
        check_range("thing", "size", value, 3, 5)
