"""A decoder in Verilator, token by token."""

import struct
import subprocess
from types import TracebackType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from rtl.transformer.config import DecoderConfig
from sim.drivers import build_driver
from sim.ports import lane_values, port_bytes
from sim.toolchain import environment

_REPLY = struct.Struct("<QQII")


class Settings(NamedTuple):
    """A decoder's settings, as the bits of its ports; the scalar is one over the temperature."""

    mantissa: int = 0
    exponent: int = 0
    seed: int = 0


class Taken(NamedTuple):
    """What became of a token."""

    cycles: int | None
    """From its being taken until the next one could be; None: nobody knows."""
    chosen: int | None
    """Cycles until the choice was there; None without one."""
    choice: int | None
    logits: NDArray[np.int64] | None
    """Shape (vocabulary,), with a choice."""


class SimulatedDecoder:
    """A decoder in Verilator, run by `sim/tokens.cpp`; a context manager.

    Parameters
    ----------
    verilog
        The decoder's, module `gen.plan.plan.MODULE`.
    config
        What it was made for.

    """

    def __init__(self, verilog: str, config: DecoderConfig):
        self.config = config
        self._executable = build_driver("tokens", verilog)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "SimulatedDecoder":
        self._process = subprocess.Popen(
            [self._executable], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()
        self._process = None

    def take(self, token: int, *, first: bool, sample: bool, settings: Settings) -> Taken:
        """Give it a token, and let time pass until the next one could follow.

        Parameters
        ----------
        token
            Its number.
        first
            Whether it begins a sequence.
        sample
            Whether a choice is wanted.
        settings
            For a sequence the same.

        """
        exponent = self.config.scalar["exponent"].width
        exponent_bits = settings.exponent & (1 << exponent) - 1
        self._write(struct.pack("<5I", token, first | sample << 1, settings.mantissa, exponent_bits, settings.seed))
        cycles, chosen, choice, count = _REPLY.unpack(self._read(_REPLY.size))
        content = np.frombuffer(self._read(count), np.uint8)
        if not sample:
            return Taken(cycles, None, None, None)
        lanes, width, vocabulary = self.config.lanes, self.config.widths.logit_sum, self.config.shape.vocabulary
        words = lane_values(content.reshape(-1, port_bytes(lanes * width)), lanes, width)
        return Taken(cycles, chosen, choice, words.reshape(-1)[:vocabulary])

    def _write(self, content: bytes) -> None:
        assert self._process
        assert self._process.stdin
        try:
            self._process.stdin.write(content)
            self._process.stdin.flush()
        except OSError as error:
            raise TritweaveError("the simulation of the decoder has ended") from error

    def _read(self, count: int) -> bytes:
        assert self._process
        assert self._process.stdout
        content = self._process.stdout.read(count)
        if len(content) != count:
            status = self._process.wait()
            raise TritweaveError(f"the simulation of the decoder ended with status {status} within a token")
        return content
