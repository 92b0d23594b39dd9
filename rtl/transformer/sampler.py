"""The sampler: the token of the largest logit, or of the largest logit with noise, in one pass."""

from typing import Final, NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from golden.language.format import LOGIT_BITS, NOISE_INDEX
from rtl.layouts import indices, levels, words
from rtl.pipeline import delayed, registered
from rtl.transformer.config import DecoderConfig
from rtl.transformer.noise import STATE_BITS, noise_table, stepped

_NOISE: Final = 2
"""Cycles from a state of the shift register to the noise that it chooses: the memory, and the register behind it."""


class _Candidate(NamedTuple):
    """A logit, with its noise, and its lane."""

    value: Value
    lane: Value


class Sampler(wiring.Component):
    """Chooses among the logits of a token, `DecoderConfig.choices` a cycle; of equal ones the first.

    Unless `greedy`, a shift register steps once for each logit, and each of its states chooses the noise that is added
    to the logit. Logits behind the vocabulary's, which fill the last word, do not count.

    Parameters
    ----------
    config
        The decoder.

    Members
    -------
    logits
        In, stream of `words` (signed(`logit_bits`), lanes), always ready: a word in ``lanes // choices`` cycles at
        most; the last one of a token is marked.
    greedy
        In, 1: without noise; steady from a token's first word until its choice.
    start, seed
        In: `seed`, of 32 bits, is the shift register's new state; not between a token's first word and its choice.
    busy
        Out, 1: from the cycle behind a token's first word until its choice has been taken.
    choice
        Out, stream of ``token``: must be taken before the next token's first word.

    Latency: `latency` from the last word to its choice.

    """

    logits: stream.Interface
    greedy: Signal
    start: Signal
    seed: Signal
    busy: Signal
    choice: stream.Interface

    def __init__(self, config: DecoderConfig):
        self.config = config
        self.token = indices(config.shape.vocabulary)
        super().__init__(
            {
                "logits": In(stream.Signature(self.word(config), always_ready=True)),
                "greedy": In(1),
                "start": In(1),
                "seed": In(STATE_BITS),
                "busy": Out(1),
                "choice": Out(stream.Signature(data.StructLayout({"token": self.token}))),
            }
        )

    @staticmethod
    def word(config: DecoderConfig) -> data.StructLayout:
        """Shape of a word of logits."""
        return words(signed(max(config.widths.logit_sum, LOGIT_BITS)), config.lanes)

    @classmethod
    def latency(cls, config: DecoderConfig) -> int:
        """Cycles from a token's last word to its choice."""
        return cls._last_groups(config) - 1 + _NOISE + 1 + levels(config.choices) + 1

    @staticmethod
    def _last_groups(config: DecoderConfig) -> int:
        """Groups of `choices` logits that the last word has."""
        return -(-((config.shape.vocabulary - 1) % config.lanes + 1) // config.choices)

    def elaborate(self, platform) -> Module:
        """Groups of logits, their noise, the largest of a group, and the largest so far."""
        m = Module()
        issue, final, group = self._groups(m)
        noise = self._noise(m, issue, final)
        opening = Signal(init=1)
        with m.If(issue):
            m.d.sync += opening.eq(final)
        candidates = self._candidates(m, group, noise, delayed(m, final, _NOISE, "final"))
        largest = self._largest(m, candidates)
        flags = Cat(issue, issue & opening, issue & final)
        present, first, last = delayed(m, flags, _NOISE + 1 + levels(self.config.choices), "flags")
        best = Signal.like(largest.value)
        base, token = Signal(self.token), self.choice.payload.token
        start = Mux(first, 0, base)
        with m.If(present):
            m.d.sync += base.eq(start + self.config.choices)
            with m.If(first | (largest.value > best)):
                m.d.sync += [best.eq(largest.value), token.eq(start + largest.lane)]
        with m.If(last):
            m.d.sync += self.choice.valid.eq(1)
        with m.Elif(self.choice.ready):
            m.d.sync += self.choice.valid.eq(0)
        with m.If(self.logits.valid):
            m.d.sync += self.busy.eq(1)
        with m.Elif(self.choice.valid & self.choice.ready):
            m.d.sync += self.busy.eq(0)
        return m

    def _groups(self, m: Module) -> tuple[Value, Value, list[Value]]:
        """Whether a group is at hand, whether it is a token's last, and its logits one cycle later."""
        config, arrived = self.config, self.logits.valid
        word = self.logits.payload
        count, last_count = config.lanes // config.choices, self._last_groups(config)
        left, rest = Signal(indices(count)), Signal(indices(count))
        closing, last = Signal(), Signal()
        m.d.comb += [
            left.eq(Mux(arrived, Mux(word.last, last_count - 1, count - 1), rest)),
            last.eq(Mux(arrived, word.last, closing)),
        ]
        running = Signal()
        issue = arrived | running
        m.d.sync += [rest.eq(left - 1), closing.eq(last), running.eq(issue & (left != 0))]
        kept = Signal.like(word.data.as_value())
        size = config.choices * word.data.shape().elem_shape.width
        m.d.sync += kept.eq(Mux(arrived, word.data.as_value(), kept >> size))
        logits = [data.View(word.data.shape(), kept)[lane] for lane in range(config.choices)]
        return issue, issue & last & (left == 0), logits

    def _noise(self, m: Module, issue: Value, final: Value) -> list[Value]:
        """Noise for each logit of a group, `_NOISE` cycles later."""
        choices = self.config.choices
        counted = (self.config.shape.vocabulary - 1) % choices + 1
        state, table = Signal(STATE_BITS, reset_less=True), noise_table()
        following = stepped(state, choices)
        if counted != choices:
            following = Mux(final, stepped(state, counted), following)
        with m.If(self.start):
            m.d.sync += state.eq(self.seed)
        with m.Elif(issue & ~self.greedy):
            m.d.sync += state.eq(following)
        width = 1 + max(entry.bit_length() for entry in table)
        m.submodules.table = memory = Memory(shape=signed(width), depth=len(table), init=table)
        found = []
        for lane in range(choices):
            read = memory.read_port()
            m.d.comb += read.addr.eq(stepped(state, lane + 1)[-NOISE_INDEX:])
            found.append(registered(m, read.data, f"noise_{lane}", reset_less=True))
        return found

    def _candidates(self, m: Module, group: list[Value], noise: list[Value], final: Value) -> list[_Candidate]:
        """Logits with their noise, one cycle later; those behind the vocabulary are less than any."""
        config = self.config
        counted = (config.shape.vocabulary - 1) % config.choices + 1
        bits = max(config.widths.noisy, config.widths.logit_sum)
        candidates = []
        for lane, (logit, added) in enumerate(zip(group, noise, strict=True)):
            here = registered(m, logit, f"logit_{lane}", reset_less=True)
            value = Signal(signed(bits), name=f"value_{lane}", reset_less=True)
            m.d.sync += value.eq(here + Mux(self.greedy, 0, added))
            if lane >= counted:
                with m.If(final):
                    m.d.sync += value.eq(-1 << bits - 1)
            candidates.append(_Candidate(value, Const(lane, range(config.choices))))
        return candidates

    def _largest(self, m: Module, candidates: list[_Candidate]) -> _Candidate:
        """The first of the largest candidates, a cycle for each halving of their number."""
        level = candidates
        while len(level) > 1:
            pairs = [level[at : at + 2] for at in range(0, len(level), 2)]
            level = []
            for index, pair in enumerate(pairs):
                better = pair[-1].value > pair[0].value
                chosen = (Mux(better, *parts) for parts in zip(pair[-1], pair[0], strict=True))
                level.append(_Candidate(*(registered(m, part, f"of_{len(pairs)}_{index}") for part in chosen)))
        return level[0]
