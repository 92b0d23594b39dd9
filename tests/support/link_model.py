"""What a device with the host link has to say: a model of its rules."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from golden.formats import MEMORIES
from golden.link.format import CRC_BYTES, DONE, HEADER_BYTES, REFUSED, VERSION, Command, Refusal
from golden.link.frames import Frame, FrameDamaged, Identity, cobs_decode
from rtl.engine.config import EngineConfig

Compute = Callable[[bytes], list[int]]
"""The results of an input vector, padding included in both."""


class Load(NamedTuple):
    """A transfer that reaches the engine."""

    memory: int
    address: int
    last: bool
    data: int


@dataclass
class DeviceModel:
    """Answers frames as `golden.link.format` says.

    Parameters
    ----------
    config, identity
        The engine and what it says it is.
    compute
        What it computes.

    """

    config: EngineConfig
    identity: Identity
    compute: Compute
    loaded: bool = False
    last_input: int = 0
    image: int = 0
    goes_on: tuple[int, int] = (0, 0)
    frames: int = 0
    refused: int = 0
    lost: int = 0
    loads: list[Load] = field(default_factory=list)
    vectors: list[bytes] = field(default_factory=list)

    def reset(self) -> None:
        """Forget all but what concerns the memories."""
        self.goes_on, self.frames, self.refused, self.lost = (0, 0), 0, 0, 0

    def reply(self, coded: bytes, *, broken: bool = False, stuck: bool = False) -> Frame:
        """The reply to what came before a delimiter; `broken`: a byte of it had an error."""
        try:
            content = cobs_decode(coded)
            summed = zlib.crc32(content[:-CRC_BYTES]) == int.from_bytes(content[-CRC_BYTES:], "little")
        except FrameDamaged:
            content, summed = b"", False
        if broken or len(content) < CRC_BYTES or not summed:
            return self._refuse(0, Refusal.DAMAGED)
        if len(content) < HEADER_BYTES + CRC_BYTES:
            return self._refuse(0, Refusal.SHORT)
        frame = Frame.from_bytes(coded)
        if len(frame.payload) > self.identity.payload:
            return self._refuse(frame.sequence, Refusal.LONG)
        reason = self._reason(frame) or (stuck and frame.command == Command.RUN and Refusal.STUCK)
        if reason:
            return self._refuse(frame.sequence, reason)
        body = self._carry_out(frame)
        self.frames += 1
        return Frame(frame.sequence, frame.command | DONE, body)

    def _refuse(self, sequence: int, reason: Refusal) -> Frame:
        self.refused += 1
        return Frame(sequence, REFUSED, bytes([reason]))

    def _reason(self, frame: Frame) -> Refusal | None:
        payload = frame.payload
        if frame.version != VERSION:
            return Refusal.VERSION
        if frame.command not in set(Command):
            return Refusal.COMMAND
        if frame.command in (Command.IDENTIFY, Command.COUNTERS):
            return Refusal.LENGTH if payload else None
        if frame.command == Command.RUN:
            if not self.loaded or payload[:4] != self.image.to_bytes(4, "little"):
                return Refusal.NOT_LOADED
            return Refusal.LENGTH if len(payload) != 4 + (self.last_input + 1) * self.config.lanes else None
        if not self.config.writable:
            return Refusal.READ_ONLY
        memory, address = payload[0] if payload else 0, int.from_bytes(payload[1:4], "little")
        if frame.command == Command.FINISH:
            if len(payload) != 8:
                return Refusal.LENGTH
            return None if (memory, address) == self.goes_on and memory == 2 else Refusal.ORDER
        known = memory < len(MEMORIES)
        size = 4 * len(self.config.transfers[MEMORIES[memory]]) if known else 4
        words, rest = divmod(len(payload) - 4, size)
        if words < 1 or rest:
            return Refusal.LENGTH
        begins = address == 0 and memory in (0, self.goes_on[0] + 1)
        if not begins and (memory != self.goes_on[0] or address > self.goes_on[1]):
            return Refusal.ORDER
        return None if known and address + words <= self.config.depths[MEMORIES[memory]] else Refusal.RANGE

    def _carry_out(self, frame: Frame) -> bytes:
        payload = frame.payload
        if frame.command == Command.IDENTIFY:
            return self.identity.to_bytes() + bytes([self.loaded]) + self.image.to_bytes(4, "little")
        if frame.command == Command.COUNTERS:
            counts = (self.frames, self.refused, self.lost)
            # The model knows nothing of cycles.
            return b"".join((value & 0xFFFF).to_bytes(2, "little") for value in counts) + bytes(4)
        if frame.command == Command.FINISH:
            self.loaded, self.image = True, int.from_bytes(payload[4:], "little")
            return b""
        if frame.command == Command.RUN:
            self.vectors.append(payload[4:])
            return b"".join(value.to_bytes(4, "little", signed=True) for value in self.compute(payload[4:]))
        memory, address = payload[0], int.from_bytes(payload[1:4], "little")
        parts = len(self.config.transfers[MEMORIES[memory]])
        for at in range(4, len(payload), 4):
            word, part = divmod(at // 4 - 1, parts)
            data = int.from_bytes(payload[at : at + 4], "little")
            self.loads.append(Load(memory, address + word, part == parts - 1, data))
            if (memory, address + word, part) == (0, 0, 0):
                self.last_input = data & 0xFFFF
        self.loaded, self.goes_on = False, (memory, address + (len(payload) // 4 - 1) // parts)
        return b""
