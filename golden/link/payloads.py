"""Payloads of the host link's requests, as `golden.link.format` defines them."""

import zlib
from collections.abc import Iterator

import numpy as np

from golden.errors import TritweaveError
from golden.files.image import MemoryImage
from golden.formats import IMAGE_HEADER_BYTES, MEMORIES
from golden.link.format import UNIT_BYTES, Command
from golden.link.frames import State, image_number


def begin_payload(image: MemoryImage, state: State) -> bytes:
    """Payload of the ``begin`` request for an image on a device with that state."""
    return _unit(state.sum) + _unit(state.loads) + image.to_bytes()[:IMAGE_HEADER_BYTES]


def load_payloads(image: MemoryImage, limit: int) -> Iterator[bytes]:
    """Payloads of the ``load`` requests that bring in an image, none longer than `limit`."""
    total = zlib.crc32(image.to_bytes()[:IMAGE_HEADER_BYTES])
    for memory, name in enumerate(MEMORIES):
        words = image.words(name)
        step = (limit - 2 * UNIT_BYTES) // words.shape[1]
        if step < 1:
            raise TritweaveError(f"a word of {name} has {words.shape[1]} bytes; the device takes payloads of {limit}")
        for address in range(0, len(words), step):
            content = np.ascontiguousarray(words[address : address + step]).tobytes()
            yield _unit(total) + _unit(memory | address << 8) + content
            total = zlib.crc32(content, total)


def requests_left(image: MemoryImage, state: State, limit: int) -> list[tuple[Command, bytes]]:
    """The requests that load an image on a device with that state: from where it goes on, or from its beginning."""
    loads = [(Command.LOAD, payload) for payload in load_payloads(image, limit)]
    left = [*loads, (Command.FINISH, finish_payload(image))]
    if not state.loaded:
        for at, (_, payload) in enumerate(left):
            if payload[:UNIT_BYTES] == _unit(state.sum):
                return left[at:]
    return [(Command.BEGIN, begin_payload(image, state)), *left]


def finish_payload(image: MemoryImage) -> bytes:
    """Payload of the ``finish`` request behind them."""
    return _unit(image_number(image))


def run_payload(image: int, vector: bytes, lanes: int) -> bytes:
    """Payload of the ``run`` request for an input vector; `image` is the number of the image that it is for."""
    return _unit(image) + vector + bytes(-len(vector) % lanes)


def _unit(value: int) -> bytes:
    return value.to_bytes(UNIT_BYTES, "little")
