"""A line that damages what passes over it at stated rates, and keeps count of what the device must have seen."""

from collections import Counter, deque
from random import Random

from boards.connection import Connection
from golden.link.format import REFUSED, Command
from golden.link.frames import Frame
from sim.line import SimulatedLine

REQUEST_FAULTS = {
    "bits": 0.06,
    "bytes dropped": 0.04,
    "bytes doubled": 0.03,
    "bytes made up": 0.03,
    "stop bit": 0.03,
    "cut off": 0.04,
    "frame doubled": 0.03,
    "old frame": 0.03,
    "old load": 0.03,
    "silence": 0.03,
    "reset within": 0.01,
    "reset behind": 0.01,
}
"""The share of requests that suffers each fault, one at a time."""

REPLY_FAULTS = {"bits": 0.04, "bytes dropped": 0.03, "bytes doubled": 0.02, "cut off": 0.02, "late": 0.03, "lost": 0.02}
"""The share of replies that suffers each fault, one at a time."""

# What would hurt most if it came again.
LOADING = {Command.BEGIN, Command.LOAD, Command.FINISH, Command.GENERATE}

# These damage a frame for certain; the others may leave a right one.
DAMAGING = {"bits", "bytes dropped", "bytes made up", "stop bit", "cut off", "reset within"}


class TorturedLine:
    """A simulated line with faults in both directions.

    Parameters
    ----------
    line
        The way to the device.
    seed
        Where all faults come from.

    """

    def __init__(self, line: SimulatedLine, seed: int):
        self.line, self.random = line, Random(seed)
        self.bit = line.uart.baud**-1
        self.request_faults: Counter[str] = Counter()
        self.reply_faults: Counter[str] = Counter()
        self.frames = self.cycles = 0
        self.active = False
        self._late: list[bytes] = []
        self._old = deque([Frame(1, 1).to_bytes()], 100)
        self._old_loads = deque(self._old, 300)  # of some ten images
        self._unreported = ""
        self.forget()

    def forget(self) -> None:
        """Count anew, as the device does after a reset."""
        self.done = self.refused = self.chunks = 0
        self._open = False  # a byte has come since the last delimiter

    def open(self) -> None:
        """Start the device."""
        self.line.open()
        self.forget()

    def close(self) -> None:
        """End it."""
        self.line.close()

    def write(self, content: bytes) -> None:
        """Send a frame, or what is left of it."""
        self.frames += 1
        again = content.startswith(b"\0")
        assert again or not self._unreported, f"{self._unreported} was not reported"
        self._unreported = ""
        prefix, frame = content[: 2 * again], content[2 * again :]
        fault = self._draw(REQUEST_FAULTS, self.request_faults)
        self._send(prefix)
        if fault in DAMAGING:
            self._unreported = f"{fault} of {frame.hex(' ')}"
        if fault == "stop bit":
            at = self.random.randrange(len(frame))
            self._send(frame[:at])
            self._send(frame[at : at + 1], stop=False)
            self._send(frame[at + 1 :])
        elif fault in ("silence", "reset within"):
            at = self.random.randrange(1, len(frame) - 2)
            self.line.flush()
            self._send(frame[:at])
            # In the middle of a byte, or in a pause behind it.
            self.line.wait((10 * at + self.random.choice((-1, 30)) * self.random.uniform(1, 9)) * self.bit)
            if fault == "reset within":
                self._reset()
            self._send(frame[at:])
        elif fault == "reset behind":
            self._send(frame)
            self.line.flush()
            self.line.wait(self.random.random() * 500 * self.bit)
            self._reset()
        elif fault in ("old frame", "old load"):
            old = self.random.choice(self._old if fault == "old frame" else self._old_loads)
            self._send(old + frame if self.random.random() < 0.5 else frame + old)
        else:
            self._send(frame * 2 if fault == "frame doubled" else self._damage(frame, fault))
        self._old.append(frame)
        if Frame.from_bytes(frame[:-1]).command in LOADING:
            self._old_loads.append(frame)

    def read_frame(self, seconds: float) -> bytes:
        """What the device sends, or what is left of it."""
        coded = self._receive(seconds)
        fault = self._draw(REPLY_FAULTS, self.reply_faults) if coded.endswith(b"\0") else ""
        late = self._late.pop(0) if self._late and not coded else b""
        if fault == "late":
            self._late.append(coded)
        return late or (b"" if fault in ("late", "lost") else self._damage(coded, fault))

    def settle(self) -> None:
        """End the faults, and what they left on the line, and wait until the device has nothing more to say."""
        self.active = False
        self._send(b"\0\0")
        while self._receive(2000 * self.bit):
            pass
        self._late.clear()

    def _draw(self, faults: dict[str, float], drawn: Counter[str]) -> str:
        if not self.active:
            return ""
        (fault,) = self.random.choices([*faults, ""], [*faults.values(), 1 - sum(faults.values())])
        drawn[fault] += 1
        return fault

    def _damage(self, content: bytes, fault: str) -> bytes:
        damaged = bytearray(content)
        many = self.random.randint(1, min(3, len(content))) if content else 0
        if fault == "bits":
            for bit in self.random.sample(range(8 * len(damaged)), many):
                damaged[bit // 8] ^= 1 << bit % 8
        elif fault == "bytes dropped":
            for _ in range(many):
                del damaged[self.random.randrange(len(damaged))]
        elif fault == "bytes doubled":
            at = self.random.randrange(len(damaged))
            damaged[at:at] = damaged[at : at + many]
        elif fault == "bytes made up":
            # Not around the delimiter, where they would be a frame of their own.
            at = self.random.randrange(1, len(damaged) - 1)
            damaged[at:at] = self.random.randbytes(many)
        elif fault == "cut off":
            del damaged[self.random.randrange(len(damaged)) :]
        return bytes(damaged)

    def _send(self, content: bytes, *, stop: bool = True) -> None:
        for byte in content:
            if byte or not stop:
                self._open = True
            else:
                self.chunks += self._open
                self._open = False
        self.line.write(content, stop=stop)

    def _receive(self, seconds: float) -> bytes:
        coded = self.line.read_frame(seconds)
        if coded.endswith(b"\0"):
            if Frame.from_bytes(coded[:-1]).command == REFUSED:
                self.refused += 1
            else:
                self.done += 1
        return coded

    def _reset(self) -> None:
        self.line.reset(self.random.randint(1, 3))
        # A byte that the reset broke off arrives as well.
        self.line.wait(12 * self.bit)
        while self.line.read_frame(0):
            pass
        self.forget()


def check_counters(line: TorturedLine, device: Connection) -> None:
    """The device has counted what passed over the line, frame by frame."""
    line.settle()
    expected = line.done, line.refused, line.chunks - line.done - line.refused
    assert device.counters()[:3] == expected
    line.active = True


def check_faults(line: TorturedLine) -> None:
    """Every fault has occurred; say how often."""
    for drawn, faults in ((line.request_faults, REQUEST_FAULTS), (line.reply_faults, REPLY_FAULTS)):
        assert set(drawn) == {*faults, ""}
        print(f"{line.cycles} cycles; {drawn.total()} frames, {drawn.total() - drawn['']} with faults: {dict(drawn)}")
