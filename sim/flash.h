// A 25-series SPI flash at its pins: mode 0, in power-down until command 0xAB, then read by command 0x03.

#pragma once

#include <cstdint>
#include <vector>

class Flash {
public:
    // From byte 0 on; what is beyond it has been erased.
    std::vector<uint8_t> content;

    // The pins once a cycle of the design; the flash's output until the next one.
    int see(int select_n, int clock, int mosi) {
        if (select_n) {
            awake_ |= count_ == 8 && shift_ == 0xab;
            count_ = shift_ = 0;
            out_ = 1;
        } else if (clock && !clock_) {
            if (count_ < 32) shift_ = shift_ << 1 | mosi;
            ++count_;
        } else if (!clock && clock_ && awake_ && count_ >= 32 && shift_ >> 24 == 0x03) {
            const uint64_t bit = count_ - 32 + 8 * uint64_t(shift_ & 0xffffff);
            out_ = bit / 8 < content.size() ? content[bit / 8] >> (7 - bit % 8) & 1 : 1;
        }
        clock_ = clock;
        return out_;
    }

private:
    bool awake_ = false;
    int clock_ = 0, out_ = 1;
    uint32_t shift_ = 0, count_ = 0;
};

// Connects it to a design that has its pins. The last argument is 0: an int for the first of these, and where that does
// not compile, a long for the other.
template <class Top>
auto pass_flash(Top& top, Flash& flash, int) -> decltype(void(top.flash_miso)) {
    top.flash_miso = flash.see(top.flash_select, top.flash_clock, top.flash_mosi);
}
template <class Top>
void pass_flash(Top&, Flash&, long) {}
