"""SPI flash as pysim's drivers see it."""

from collections.abc import Iterator


class Flash:
    """A 25-series flash in power-down at its pins: mode 0, commands 0xAB, which takes `wake` cycles, and 0x03."""

    def __init__(self, content: dict[int, bytes], wake: int):
        self.content, self.wake = content, wake
        self.asleep, self.awake_at = True, 0
        self.miso, self._clock, self._bits, self._out = 1, 0, [], iter(())

    def see(self, cycle: int, select: int, clock: int, mosi: int) -> None:
        """The pins in a cycle; `miso` is what the flash puts out from then on."""
        if not select:
            if self._bits == [1, 0, 1, 0, 1, 0, 1, 1]:
                self.asleep, self.awake_at = False, cycle + self.wake
            self._bits, self._out, self.miso = [], iter(()), 1
        elif clock and not self._clock:
            self._bits.append(mosi)
        elif self._clock and not clock:
            number = int("".join(map(str, self._bits)), 2)
            if len(self._bits) == 32 and number >> 24 == 3 and not self.asleep and cycle > self.awake_at:
                self._out = self._read(number & 0xFFFFFF)
            self.miso = next(self._out, 1)
        self._clock = clock

    def _read(self, address: int) -> Iterator[int]:
        start, content = next((base, bytes_) for base, bytes_ in self.content.items() if base <= address)
        for byte in content[address - start :]:
            yield from (byte >> bit & 1 for bit in reversed(range(8)))
