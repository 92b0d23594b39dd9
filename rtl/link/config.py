"""The configuration of a host link: what it must hold, and what it waits for."""

from dataclasses import dataclass

from golden.errors import TritweaveError
from golden.formats import LOAD_WIDTH
from golden.link.format import CRC_BYTES, HEADER_BYTES, IDENTITY_FIELDS, SMALLEST_LIMIT, STATE_FIELDS, UNIT_BYTES
from rtl.crc32 import Crc32
from rtl.engine.config import EngineConfig


@dataclass(frozen=True)
class LinkConfig:
    """Size of a host link.

    Parameters
    ----------
    engine
        The engine behind it, without a scale step and norms.

    """

    engine: EngineConfig

    def __post_init__(self) -> None:
        if self.engine.scaling or self.engine.norming:
            has = "a scale step" if self.engine.scaling else "norms"
            raise TritweaveError(f"link: the engine has {has}; a host link serves engines without")

    @property
    def request(self) -> int:
        """Longest payload of a request: the longest input vector, the widest memory word, or `SMALLEST_LIMIT`."""
        vector = self.engine.input_words * self.engine.lanes
        widest = max(len(transfers) for transfers in self.engine.transfers.values())
        return max(SMALLEST_LIMIT, UNIT_BYTES + max(vector, UNIT_BYTES + LOAD_WIDTH // 8 * widest))

    @property
    def reply(self) -> int:
        """Longest payload of a reply: the longest result, or all that the link says of itself."""
        about = sum(IDENTITY_FIELDS.values()) + sum(STATE_FIELDS.values())
        return max(about, 4 * self.engine.lanes * self.engine.result_words)

    @property
    def memories(self) -> list[tuple[int, int]]:
        """Those of a request and of a reply: words, and bits of each."""
        frame = HEADER_BYTES + CRC_BYTES
        return [(frame + self.request, 8), (frame + self.reply, 8)]

    @property
    def patience(self) -> int:
        """Bits of a run's or a load's cycles: one that takes 2**patience cycles is stuck.

        None takes half as long: every chunk may wait for the drain, every layer for the quantiser and the pipelines,
        and what is loaded, input and result pass byte by byte.
        """
        engine = self.engine
        layer = 4 * max(engine.quantizer.depths) + engine.drain.interval + engine.array_latency + 128
        chunks = engine.weight_words * engine.drain.interval
        run = chunks + engine.layers * layer + (Crc32.LATENCY + 4) * self.request + (Crc32.LATENCY + 1) * self.reply
        return min((2 * run).bit_length(), 31)
