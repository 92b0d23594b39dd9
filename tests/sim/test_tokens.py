# amaranth: UnusedElaboratable=no
import numpy as np

from gen.plan.plan import MODULE
from gen.verilog import generate
from sim.tokens import Settings, SimulatedDecoder
from support.stand_in_decoder import CONFIG, StandIn, StandInDecoder


def test_a_decoder_in_verilator_is_fed_token_by_token() -> None:
    vocabulary = CONFIG.shape.vocabulary
    random = np.random.default_rng(3)
    exponent_bits = CONFIG.scalar["exponent"].width
    with SimulatedDecoder(generate(StandInDecoder(), MODULE, {}), CONFIG) as simulated:
        for settings in (Settings(), Settings(77, -3, 0xFFFFFFFF), Settings(255, 12, 5)):
            bits = settings.mantissa | (settings.exponent & (1 << exponent_bits) - 1) << CONFIG.form.scale_bits
            stand_in = StandIn(CONFIG, bits, settings.seed)
            for position in range(CONFIG.shape.context):
                token, sample = int(random.integers(vocabulary)), bool(random.integers(2))
                expected = stand_in.take(token, first=position == 0)
                taken = simulated.take(token, first=position == 0, sample=sample, settings=settings)
                assert taken.cycles == stand_in.cycles(sample=sample)
                if sample:
                    assert (taken.chosen, taken.choice) == (stand_in.cycles(sample=True) - 1, expected.choice)
                    assert taken.logits is not None
                    assert taken.logits.tolist() == expected.logits
                else:
                    assert taken[1:] == (None, None, None)
