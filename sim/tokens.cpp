// A generated decoder, driven token by token over standard input and output.
//
// Usage: tokens
// Standard input holds requests of 20 bytes, five u32, little-endian:
//   token        offered as soon as the decoder can take one
//   flags        1: it begins a sequence; 2: a choice is wanted behind it
//   mantissa, exponent, seed
//                the settings, as the bits of the ports
// Each is answered when the decoder can take the next token, and time passes only until then:
//   u64          cycles from the token's being taken
//   u64          cycles until the choice was there, taken at once; 0 if none was wanted
//   u32          the choice
//   u32 N        bytes of logits
//   N bytes      the port's bytes of each word of logits
// Status 0: the input ended; 3: no progress.

#include <cstdint>
#include <cstdio>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

namespace {

// Far longer than any token.
constexpr uint64_t kPatience = 50'000'000;

struct Request {
    uint32_t token, flags, mantissa, exponent, seed;
};

}  // namespace

int main() {
    VerilatedContext context;
    Vtop top(&context, "tritweave");
    const auto half = [&](int level) {
        top.clk = level;
        top.eval();
    };
    top.rst = 1;
    top.choice_ready = 1;
    for (int cycle = 0; cycle < 2; ++cycle) half(0), half(1);
    top.rst = 0;
    uint64_t waited = 0;
    for (half(0); !top.token_ready; half(1), half(0))
        if (++waited > kPatience) return 3;

    Request request;
    while (std::fread(&request, sizeof request, 1, stdin) == 1) {
        const bool sample = request.flags >> 1 & 1;
        top.token_valid = 1;
        top.token_token = request.token;
        top.token_first = request.flags & 1;
        top.token_sample = sample;
        top.temperature_mantissa = request.mantissa;
        top.temperature_exponent = request.exponent;
        top.seed = request.seed;
        half(0), half(1);
        top.token_valid = 0;

        uint64_t cycles = 1, chosen = 0;
        uint32_t choice = 0;
        std::vector<uint8_t> logits;
        for (;; half(1), ++cycles) {
            half(0);
            if (top.logits_valid) {
                const auto* bytes = reinterpret_cast<const uint8_t*>(&top.logits_data);
                logits.insert(logits.end(), bytes, bytes + sizeof top.logits_data);
            }
            if (top.choice_valid) chosen = cycles, choice = top.choice_data;
            if (top.token_ready && (chosen || !sample)) break;
            if (cycles > kPatience) return 3;
        }
        const uint64_t times[2] = {cycles, chosen};
        const uint32_t found[2] = {choice, static_cast<uint32_t>(logits.size())};
        std::fwrite(times, sizeof times, 1, stdout);
        std::fwrite(found, sizeof found, 1, stdout);
        std::fwrite(logits.data(), 1, logits.size(), stdout);
        std::fflush(stdout);
    }
    top.final();
    return 0;
}
