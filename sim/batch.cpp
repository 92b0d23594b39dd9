// Streams vectors through a generated engine and records what comes out, and when.
//
// Usage: batch INPUT OUTPUT WORDS RESULT_WORDS INPUT_BYTES ORDER LOAD [WAVES]
//   INPUT         input words, INPUT_BYTES each, as the port's bits; WORDS of them make a vector
//   OUTPUT        for each result word, its port's bytes; after the vector's RESULT_WORDS words, two u64: the cycles
//                 in which its first input word entered and its last result word left
//   ORDER         "stream": inputs are offered without a gap; "alone": each vector once the one before has left
//   LOAD          transfers of the load port, four u32 each (memory, address, last, data), or "-" for none
//   WAVES         trace to write, FST or VCD as built
// After each vector a line with the number of vectors done goes to standard output. Status 3: no progress.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "Vtop.h"
#include "verilated.h"
#if VM_TRACE_FST
#include "verilated_fst_c.h"
using Trace = VerilatedFstC;
#elif VM_TRACE
#include "verilated_vcd_c.h"
using Trace = VerilatedVcdC;
#endif

namespace {

// Far longer than any stall: the engine never waits for anything but its streams.
constexpr uint64_t kPatience = 10'000'000;

std::vector<char> read_file(const std::string& path) {
    std::FILE* file = std::fopen(path.c_str(), "rb");
    if (!file) {
        std::perror(path.c_str());
        std::exit(2);
    }
    std::vector<char> content;
    char block[65536];
    for (size_t count; (count = std::fread(block, 1, sizeof block, file)) > 0;)
        content.insert(content.end(), block, block + count);
    std::fclose(file);
    return content;
}

template <typename Port>
void drive(Port& port, const void* bytes, size_t count) {
    std::memcpy(&port, bytes, count < sizeof port ? count : sizeof port);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 8) return 2;
    const std::vector<char> input = read_file(argv[1]);
    const size_t words = std::strtoull(argv[3], nullptr, 10);
    const size_t result_words = std::strtoull(argv[4], nullptr, 10);
    const size_t input_bytes = std::strtoull(argv[5], nullptr, 10);
    const bool alone = std::string(argv[6]) == "alone";
    const std::vector<char> load = std::string(argv[7]) == "-" ? std::vector<char>() : read_file(argv[7]);
    std::FILE* output = std::fopen(argv[2], "wb");
    if (!output) {
        std::perror(argv[2]);
        return 2;
    }

    VerilatedContext context;
    Vtop top(&context, "tritweave");
#if VM_TRACE
    Trace trace;
    if (argc > 8) {
        context.traceEverOn(true);
        top.trace(&trace, 99);
        trace.open(argv[8]);
    }
#endif
    uint64_t now = 0;
    const auto half = [&](int level) {
        top.clk = level;
        top.eval();
#if VM_TRACE
        if (argc > 8) trace.dump(now);
#endif
        ++now;
    };

    top.rst = 1;
    top.o_ready = 1;
    for (int cycle = 0; cycle < 2; ++cycle) half(0), half(1);
    top.rst = 0;

    for (size_t at = 0; at < load.size();) {
        uint32_t transfer[4];
        std::memcpy(transfer, &load[at], sizeof transfer);
        top.load_valid = 1;
        top.load_memory = transfer[0];
        top.load_address = transfer[1];
        top.load_last = transfer[2];
        top.load_data = transfer[3];
        half(0);
        if (top.load_ready) at += sizeof transfer;
        half(1);
        if (now > 4 * load.size() + kPatience) return 3;
    }
    top.load_valid = 0;

    const size_t total = input.size() / input_bytes;
    const size_t vectors = total / words;
    std::vector<uint64_t> entered;
    size_t sent = 0, received = 0;
    uint64_t cycle = 0, progress = 0;
    while (received < vectors * result_words) {
        const bool waits = alone && sent % words == 0 && received / result_words < sent / words;
        top.i_valid = sent < total && !waits;
        if (top.i_valid) drive(top.i_data, &input[sent * input_bytes], input_bytes);
        half(0);
        if (top.i_valid && top.i_ready) {
            if (sent % words == 0) entered.push_back(cycle);
            ++sent;
            progress = cycle;
        }
        if (top.o_valid) {
            std::fwrite(&top.o_data, 1, sizeof top.o_data, output);
            ++received;
            const bool last = received % result_words == 0;
            if (last != bool(top.o_last)) return 3;
            if (last) {
                const uint64_t times[2] = {entered[received / result_words - 1], cycle};
                std::fwrite(times, sizeof times, 1, output);
                std::printf("%zu\n", received / result_words);
                std::fflush(stdout);
            }
            progress = cycle;
        }
        half(1);
        if (++cycle - progress > kPatience) return 3;
    }
    top.final();
#if VM_TRACE
    if (argc > 8) trace.close();
#endif
    return std::fclose(output) ? 2 : 0;
}
