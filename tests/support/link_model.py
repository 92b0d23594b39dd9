"""What a device with the host link has to say: a model of its rules."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from golden.formats import IMAGE_HEADER_BYTES, MEMORIES
from golden.link.format import CRC_BYTES, DONE, HEADER_BYTES, REFUSED, VERSION, Command, Refusal
from golden.link.frames import Frame, FrameDamaged, Identity, cobs_decode
from golden.link.language_format import LANGUAGE_COMMANDS
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
    image
        The sum of what it was loaded with, which names the image once it is loaded.

    """

    config: EngineConfig
    identity: Identity
    compute: Compute
    loaded: bool = False
    last_input: int = 0
    image: int = 0
    loads_begun: int = 0
    frames: int = 0
    refused: int = 0
    lost: int = 0
    loads: list[Load] = field(default_factory=list)
    vectors: list[bytes] = field(default_factory=list)

    def reset(self) -> None:
        """Forget all but what concerns the memories."""
        self.frames, self.refused, self.lost = 0, 0, 0

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
        if frame.command not in set(Command).difference(LANGUAGE_COMMANDS):
            return Refusal.COMMAND
        if frame.command in (Command.IDENTIFY, Command.COUNTERS):
            return Refusal.LENGTH if payload else None
        named = payload[:4] == self.image.to_bytes(4, "little")
        if frame.command == Command.RUN:
            if not self.loaded or not named:
                return Refusal.NOT_LOADED
            return Refusal.LENGTH if len(payload) != 4 + (self.last_input + 1) * self.config.lanes else None
        if not self.config.writable:
            return Refusal.READ_ONLY
        return self._load_reason(frame, named)

    def _load_reason(self, frame: Frame, named: bool) -> Refusal | None:
        place = int.from_bytes(frame.payload[4:8], "little")
        size = len(frame.payload)
        if frame.command == Command.FINISH:
            return Refusal.LENGTH if named and size != 4 else None if named else Refusal.ORDER
        if frame.command == Command.BEGIN:
            if not named or (size >= 8 and place != self.loads_begun):
                return Refusal.ORDER
            return Refusal.LENGTH if size != 8 + IMAGE_HEADER_BYTES else None
        memory, address = place & 0xFF, place >> 8
        # A device knows addresses a little beyond its memories' ends, and no others.
        reach = (max(self.config.depths.values()) + self.identity.payload - 1).bit_length()
        if self.loaded or not named or memory >= len(MEMORIES) or address >> reach:
            return Refusal.ORDER
        name = MEMORIES[memory]
        words, rest = divmod(size - 8, 4 * len(self.config.transfers[name]))
        if words < 1 or rest:
            return Refusal.LENGTH
        return None if address + words <= self.config.depths[name] else Refusal.RANGE

    def _carry_out(self, frame: Frame) -> bytes:
        payload = frame.payload
        if frame.command == Command.IDENTIFY:
            return self.identity.to_bytes() + struct.pack("<BHI", self.loaded, self.loads_begun, self.image)
        if frame.command == Command.COUNTERS:
            counts = (self.frames, self.refused, self.lost)
            # The model knows nothing of cycles.
            return b"".join((value & 0xFFFF).to_bytes(2, "little") for value in counts) + bytes(4)
        if frame.command == Command.FINISH:
            self.loaded = True
            return b""
        if frame.command == Command.RUN:
            self.vectors.append(payload[4:])
            return b"".join(value.to_bytes(4, "little", signed=True) for value in self.compute(payload[4:]))
        body = payload[8:]
        if frame.command == Command.BEGIN:
            self.loaded, self.loads_begun, self.image = False, self.loads_begun + 1 & 0xFFFF, zlib.crc32(body)
            return b""
        self.image = zlib.crc32(body, self.image)
        memory, address = payload[4], int.from_bytes(payload[5:8], "little")
        parts = len(self.config.transfers[MEMORIES[memory]])
        for at in range(0, len(body), 4):
            word, part = divmod(at // 4, parts)
            data = int.from_bytes(body[at : at + 4], "little")
            self.loads.append(Load(memory, address + word, part == parts - 1, data))
            if (memory, address + word, part) == (0, 0, 0):
                self.last_input = data & 0xFFFF
        return b""
