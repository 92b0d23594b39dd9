"""The memory image: everything an engine's memories hold for one network, as one file.

Format, little-endian
    ======  ======  ==========================================================================
    offset  type    field
    ======  ======  ==========================================================================
    0       4 × u8  magic, ``TRIT``
    4       u16     version, 1
    6       u8      trits in a group of the packing (1: ``2b``, 3: ``3t5b``, 5: ``5t8b``)
    7       u8      low half: correction, a code of `golden.formats.CORRECTIONS` (0: ones' complement, 1: offset
                    binary, 2: exact); high half: an index of `golden.formats.SCALES`, 0 without scales and norms
    8       u16     rows of the array
    10      u16     columns of the array
    12      u16     lanes of the streams
    14      u16     layers
    16      u32     correction words
    20      u32     weight words
    24      u32     CRC-32 of bytes 0 to 23 followed by the payload
    28              payload: program, corrections, weights, norms if there are any
    ======  ======  ==========================================================================

    A memory word takes a whole number of 32-bit transfers, lowest bits first, unused bits zero. Program: one word of
    two transfers a layer, of four with scales or norms (`golden.formats.program_fields`). Corrections:
    one word a stream word of every layer's outputs, one signed transfer a lane; with scales one for each pass of the
    array, and behind the corrections a signed mantissa for each lane, then the flags of groups, if there are any.
    Weights: one word a chunk, tile by tile and pass by pass, layer by layer; trit ``r·C + c`` of the word is row r,
    column c of the tile. Norms: see `golden.formats.NORMS`; as many words as all layers' inputs have.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.formats import (
    CORRECTIONS,
    LOAD_WIDTH,
    NORM_FIELDS,
    NORMS,
    ONES_COMPLEMENT,
    PACKINGS,
    PROGRAM_FIELDS,
    SCALES,
    SEGMENT_FIELDS,
    Correction,
    Packing,
    program_fields,
)
from golden.trits import pack, unpack

MAGIC, VERSION = b"TRIT", 1
_HEADER = struct.Struct("<4sHBBHHHHIII")
_TRANSFER = LOAD_WIDTH // 8
_FIELDS = PROGRAM_FIELDS | SEGMENT_FIELDS | NORM_FIELDS


class Geometry(NamedTuple):
    """What of an engine's configuration its image depends on."""

    rows: int
    columns: int
    lanes: int
    packing: Packing
    correction: Correction = ONES_COMPLEMENT
    scales: str = SCALES[0]
    """One of `golden.formats.SCALES`."""

    @property
    def program(self) -> dict[str, int]:
        """Fields of a word of the program, and their bits."""
        return program_fields(self.scales)

    @property
    def transfers(self) -> dict[str, int]:
        """For each memory, the transfers of a word."""
        transfers = {
            "program": sum(self.program.values()) // LOAD_WIDTH,
            "corrections": self.lanes if self.scales in SCALES[::3] else 2 * self.lanes + (self.scales == SCALES[2]),
            "weights": -(-self.packing.word_bits(self.rows * self.columns) // LOAD_WIDTH),
        }
        return transfers | ({NORMS: self.lanes} if self.scales == SCALES[3] else {})


@dataclass(frozen=True)
class LayerProgram:
    """One layer of the program; the fields are those of `golden.formats.program_fields` for any engine."""

    last_input: int
    last_chunk: int
    last_tile: int
    last_drain: int
    relu: bool
    final: bool
    last_segment: int = 0
    last_inner: int = 0
    last_plane: int = 0
    last_side_plane: int = 0
    spare: int = 0
    elements: int = 0
    first_gain: int = 0
    norm_spare: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value, limit = int(getattr(self, field.name)), (1 << _FIELDS[field.name]) - 1
            if not 0 <= value <= limit:
                raise TritweaveError(f"a layer's {field.name} is {value}; the program holds 0 to {limit}")


class Load(NamedTuple):
    """One transfer of the load port."""

    memory: int
    """Index into `golden.formats.MEMORIES`; behind them `NORMS`."""
    address: int
    """Word of that memory."""
    last: bool
    """Whether the word is complete with this transfer."""
    data: int
    """32 bits of the word; the lowest bits come first."""


@dataclass(frozen=True, eq=False)
class MemoryImage:
    """The contents of an engine's memories.

    Parameters
    ----------
    geometry
        The engine it is for.
    program
        One entry a layer; the last one, and no other, is final.
    corrections
        int32, shape (words, transfers of a word): what the drain adds to each output, and with scales what follows.
    weights
        Trits, shape (words, rows·columns).
    norms
        Gains and biases, int16, shape (words, lanes, 2), if layers have any.

    """

    geometry: Geometry
    program: tuple[LayerProgram, ...]
    corrections: NDArray[np.int32]
    weights: NDArray[np.int8]
    norms: NDArray[np.int16] | None = None

    @property
    def memories(self) -> tuple[str, ...]:
        """Those that it is for, in their order."""
        return tuple(self.geometry.transfers)

    def words(self, memory: str) -> NDArray[np.uint8]:
        """A memory's words as bytes, shape (words, bytes of a word in the image)."""
        if memory == "program":
            return np.array([list(_program_bytes(layer, self.geometry)) for layer in self.program], np.uint8)
        if memory == "corrections":
            return np.ascontiguousarray(self.corrections, "<i4").view(np.uint8)
        if memory == NORMS and self.norms is not None:
            return np.ascontiguousarray(self.norms.reshape(len(self.norms), -1), "<i2").view(np.uint8)
        packed = pack(self.weights, self.geometry.packing)
        return np.pad(packed, ((0, 0), (0, -packed.shape[1] % _TRANSFER)))

    def integers(self, memory: str) -> list[int]:
        """A memory's words as integers, for its initial contents."""
        return [int.from_bytes(word.tobytes(), "little") for word in self.words(memory)]

    def loads(self) -> Iterator[Load]:
        """The transfers that bring the whole image through an engine's load port, in the order of the file."""
        for number, memory in enumerate(self.memories):
            transfers = self.words(memory).view("<u4")
            for address, word in enumerate(transfers):
                for index, data in enumerate(word):
                    yield Load(number, address, index == len(word) - 1, int(data))

    def to_bytes(self) -> bytes:
        """The image file."""
        payload = b"".join(self.words(memory).tobytes() for memory in self.memories)
        rows, columns, lanes, packing, correction, scales = self.geometry
        code = correction.code | SCALES.index(scales) << 4
        sizes = (len(self.program), len(self.corrections), len(self.weights))
        header = _HEADER.pack(MAGIC, VERSION, packing.trits, code, rows, columns, lanes, *sizes, 0)[:-4]
        return header + struct.pack("<I", zlib.crc32(payload, zlib.crc32(header))) + payload

    @classmethod
    def from_bytes(cls, content: bytes) -> "MemoryImage":
        """Read an image file; anything that `to_bytes` would not make is an error that says what is wrong."""
        if len(content) < _HEADER.size:
            raise TritweaveError(f"the image has {len(content)} bytes; its header alone has {_HEADER.size}")
        magic, version, trits, code, rows, columns, lanes, *sizes, crc = _HEADER.unpack_from(content)
        if (magic, version) != (MAGIC, VERSION):
            raise TritweaveError(f"the image starts with {magic!r}, version {version}; expected {MAGIC!r}, {VERSION}")
        payload = content[_HEADER.size :]
        computed = zlib.crc32(payload, zlib.crc32(content[: _HEADER.size - 4]))
        if computed != crc:
            raise TritweaveError(f"the image's CRC-32 is {computed:08x} where its header says {crc:08x}; it is damaged")
        packing = next((packing for packing in PACKINGS.values() if packing.trits == trits), None)
        correction, scales = CORRECTIONS.get(code & 15), dict(enumerate(SCALES)).get(code >> 4)
        if packing is None or correction is None or scales is None or 0 in (rows, columns, lanes, *sizes):
            raise TritweaveError(f"the image's header is not known: {content[: _HEADER.size].hex(' ')}")
        geometry = Geometry(rows, columns, lanes, packing, correction, scales)
        transfers = tuple(geometry.transfers.values())
        lengths = [size * count * _TRANSFER for size, count in zip(sizes, transfers, strict=False)]
        parts = np.split(np.frombuffer(payload, np.uint8), np.cumsum(lengths))
        if sum(lengths) > len(payload) or (len(parts[3]) and NORMS not in geometry.transfers):
            raise TritweaveError(f"the image's payload has {len(payload)} bytes where its header makes {sum(lengths)}")
        program = tuple(_read_program(word.tobytes(), geometry) for word in parts[0].reshape(sizes[0], -1))
        corrections, weights, rest = parts[1:]
        norms = None
        if NORMS in geometry.transfers:
            count = sum(layer.last_input + 1 for layer in program)
            if len(rest) != count * lanes * _TRANSFER:
                raise TritweaveError(f"the image has {len(rest)} bytes of norms where its program makes {count} words")
            norms = rest.view("<i2").reshape(count, lanes, 2).astype(np.int16)
        image = cls(
            geometry,
            program,
            corrections.view("<i4").reshape(sizes[1], transfers[1]).astype(np.int32),
            unpack(weights.reshape(sizes[2], transfers[2] * _TRANSFER), rows * columns, packing),
            norms,
        )
        for index, layer in enumerate(image.program):
            if layer.final != (index == sizes[0] - 1):
                raise TritweaveError(f"layer {index} of {sizes[0]} has final = {layer.final}; only the last one has it")
        if image.to_bytes() != content:
            raise TritweaveError("the image holds codes or padding that no image has; it was not made by this format")
        return image


def _program_bytes(layer: LayerProgram, geometry: Geometry) -> bytes:
    word, shift = 0, 0
    for name, width in geometry.program.items():
        word |= int(getattr(layer, name)) << shift
        shift += width
    return word.to_bytes(shift // 8, "little")


def _read_program(content: bytes, geometry: Geometry) -> LayerProgram:
    word = int.from_bytes(content, "little")
    values: dict[str, int] = {}
    for name, width in geometry.program.items():
        values[name] = word & (1 << width) - 1
        word >>= width
    flags = {name: bool(values.pop(name)) for name in ("relu", "final")}
    return LayerProgram(**values, **flags)
