// A board's demonstration without a host: what its display shows, by its own clock.
//
// Usage: display CYCLES
// Standard input holds what is in the SPI flash, if the design has one, from byte 0 on. Standard output gets a line for
// each change of the port `display`, in cycles since the start and its bits as a number: "CYCLE DISPLAY".

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "Vtop.h"
#include "flash.h"
#include "verilated.h"

int main(int argc, char** argv) {
    if (argc < 2) return 2;
    VerilatedContext context;
    Vtop top(&context, "tritweave");
    Flash flash;
    for (int byte; (byte = std::getchar()) != EOF;) flash.content.push_back(byte);

    int64_t before = -1;
    const uint64_t cycles = std::strtoull(argv[1], nullptr, 10);
    for (uint64_t now = 0; now < cycles; ++now) {
        top.clk = 0;
        top.eval();
        pass_flash(top, flash, 0);
        if (top.display != before) {
            before = top.display;
            std::printf("%llu %lld\n", (unsigned long long)now, (long long)before);
        }
        top.clk = 1;
        top.eval();
    }
    top.final();
    return 0;
}
