# amaranth: UnusedElaboratable=no
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.link.language_format import END_TOKENS, Ending
from rtl.transformer.config import DecoderConfig
from rtl.transformer.generator import Generator, Layouts
from sim.pysim import Bench, Driver, Pauses, never
from support.networks import PAUSES
from support.stand_in_decoder import CONFIG, StandIn, StandInDecoder, expected

VOCABULARY, CONTEXT = CONFIG.shape.vocabulary, CONFIG.shape.context


class Loop(wiring.Component):
    """A generator around the stand-in."""

    def __init__(self, config: DecoderConfig = CONFIG):
        self.generator, self.decoder, layouts = Generator(config), StandInDecoder(config), Layouts(config)
        super().__init__(
            {
                "prompt": In(stream.Signature(layouts.prompt)),
                "settings": In(layouts.settings),
                "abort": In(1),
                "o": Out(stream.Signature(layouts.made)),
                "idle": Out(1),
                "cycles": Out(32),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.generator = generator = self.generator
        m.submodules.decoder = decoder = self.decoder
        connect(m, flipped(self.prompt), generator.prompt)
        connect(m, generator.token, decoder.token)
        connect(m, decoder.choice, generator.choice)
        connect(m, generator.o, flipped(self.o))
        m.d.comb += [
            generator.settings.eq(self.settings),
            generator.abort.eq(self.abort),
            decoder.temperature.eq(self.settings.temperature),
            decoder.seed.eq(self.settings.seed),
            self.idle.eq(generator.idle),
            self.cycles.eq(generator.cycles),
        ]
        return m


class Sequence:
    """A drawn sequence: its prompt and settings."""

    def __init__(self, prompt: list[int], ends: list[int], limit: int, temperature: int, seed: int):
        self.prompt, self.ends, self.limit, self.temperature, self.seed = prompt, ends, limit, temperature, seed

    @property
    def tokens(self) -> list[dict[str, int]]:
        """As `prompt` takes it."""
        return [{"token": token, "last": index == len(self.prompt) - 1} for index, token in enumerate(self.prompt)]

    @property
    def settings(self) -> dict[str, Any]:
        """As `settings` takes it."""
        used = [{"token": token, "used": 1} for token in self.ends]
        ends = [*used, *[{"token": VOCABULARY // 2, "used": 0}] * (END_TOKENS - len(used))]
        return {"limit": self.limit, "temperature": {"mantissa": self.temperature}, "seed": self.seed, "ends": ends}

    @property
    def made(self) -> list[tuple[int, int, int]]:
        """What `o` must give."""
        tokens, reason = expected(CONFIG, self.prompt, self.ends, self.limit, self.temperature, self.seed)
        return [*((token, 0, 0) for token in tokens), (0, 1, Ending[reason.upper().replace(" ", "_")])]


TOKENS = st.integers(0, VOCABULARY - 1)
SEQUENCES = st.builds(
    Sequence,
    st.lists(TOKENS, min_size=1, max_size=CONTEXT),
    st.lists(TOKENS, max_size=END_TOKENS),
    st.integers(0, CONTEXT),
    st.integers(0, 255),
    st.integers(0, 2**32 - 1),
)


def run(
    sequences: list[Sequence], prompt_pauses: Pauses = never, pauses: Pauses = never, abort: int = -1
) -> tuple[list[list[Any]], list[int]]:
    """What each sequence gives, its tokens and its end, and its cycles; `abort` is a cycle."""
    bench = Bench(Loop())
    given: list[list[Any]] = [[]]
    cycles: list[int] = []

    def host() -> Driver:
        cycle = 0
        for sequence in sequences:
            left, offered = sequence.tokens, False
            while not (given[-1] and given[-1][-1][1]):
                offered = bool(left) and (offered or not prompt_pauses(cycle))
                inputs: dict[str, Any] = {"settings": sequence.settings, "prompt.valid": offered}
                if offered:
                    inputs["prompt.payload"] = left[0]
                seen = yield inputs | {"o.ready": not pauses(cycle), "abort": cycle == abort}
                cycle += 1
                if offered and seen["prompt.ready"]:
                    del left[0]
                    offered = False
                if seen["o.valid"] and seen["o.ready"]:
                    made = seen["o.payload"]
                    given[-1].append((0, 1, made["reason"]) if made["ended"] else (made["token"], 0, 0))
            assert not left
            seen = yield {"prompt.valid": 0, "abort": 0}
            cycle += 1
            assert seen["idle"]
            cycles.append(seen["cycles"])
            given.append([])

    bench.play(host(), "prompt.ready", "o.valid", "o.ready", "o.payload", "cycles", "idle")
    bench.run()
    return given[:-1], cycles


@settings(max_examples=12)
@given(sequences=st.lists(SEQUENCES, min_size=3, max_size=6), prompt_pauses=PAUSES, pauses=PAUSES)
def test_sequences_are_made_as_golden_says(sequences: list[Sequence], prompt_pauses: Pauses, pauses: Pauses) -> None:
    assert run(sequences, prompt_pauses, pauses)[0] == [sequence.made for sequence in sequences]


@settings(max_examples=12)
@given(sequences=st.lists(SEQUENCES, min_size=2, max_size=2), pauses=PAUSES, abort=st.integers(0, 120))
def test_an_aborted_sequence_ends_with_the_token_at_hand(sequences: list[Sequence], pauses: Pauses, abort: int) -> None:
    given = run(sequences, pauses=pauses, abort=abort)[0]
    for found, sequence in zip(given, sequences, strict=True):
        if found != sequence.made:
            assert found[-1] == (0, 1, Ending.ABORTED)
            assert found[:-1] == sequence.made[: len(found) - 1]


def test_an_abort_takes_effect_within_a_prompt_and_between_tokens() -> None:
    sequence = Sequence([1] * CONTEXT, [], 0, 0, 7)
    given, cycles = run([sequence], abort=2 * StandIn.WAIT + 1)
    # The token that is offered passes, and the others are dropped.
    assert given == [[(0, 1, Ending.ABORTED)]]
    assert cycles == [3 * StandIn.WAIT + 1 + CONTEXT - 4 + 1]
    sequence = Sequence([1], [], 0, 0, 7)
    token = StandIn().cycles(sample=True)
    given, _ = run([sequence], abort=3 * token)
    assert given[0][-1] == (0, 1, Ending.ABORTED)
    assert 1 < len(given[0]) < CONTEXT


def test_cycles_are_those_of_the_tokens_and_of_the_loop() -> None:
    stand_in = StandIn()
    for prompt, limit in ((1, 1), (4, 3), (CONTEXT, 0)):
        sequence = Sequence([3] * prompt, [], limit, 0, 99)
        (given,), (cycles,) = run([sequence])
        made = len(given) - 1
        # The stand-in could take the next token in the cycle behind its choice.
        again = (Generator.AGAIN - 1) * made + 1
        tokens = (prompt - 1) * stand_in.cycles(sample=False) + made * stand_in.cycles(sample=True)
        assert cycles == tokens + again
