# amaranth: UnusedElaboratable=no
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from rtl.quantiser.reciprocal import Reciprocal, ReciprocalConfig
from sim.pysim import Driver, trace


def check(width: int, peaks: Sequence[int], idle: int = 0) -> None:
    """Reciprocals of some peaks, one after another, against their definition; other values on `peak` in between."""
    config = ReciprocalConfig(width)
    apart = config.latency + idle

    def driver() -> Driver:
        for peak in peaks:
            yield {"start": 1, "peak": peak}
            for other in range(1, apart):
                yield {"start": 0, "peak": other % (1 << width)}
        yield {"start": 0}

    seen = trace(Reciprocal(config), driver(), "o")
    for index, peak in enumerate(peaks):
        shift = width - peak.bit_length()
        expected = {"multiplier": (127 << config.fraction) // (peak << shift) + 1, "power": 1 << shift}
        start = index * apart + config.latency
        assert [cycle["o"] for cycle in seen[start : start + idle + 1]] == [expected] * (idle + 1), peak


def test_all_reciprocals_of_eight_bits() -> None:
    check(8, range(1, 256))


@settings(max_examples=30)
@given(data=st.data(), width=st.integers(8, 32), idle=st.integers(0, 3))
def test_reciprocals_of_any_width_stay_until_the_next(data: st.DataObject, width: int, idle: int) -> None:
    check(width, data.draw(st.lists(st.integers(1, (1 << width) - 1), min_size=1, max_size=4)), idle)
