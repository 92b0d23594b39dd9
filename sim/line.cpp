// A generated engine with its serial line, driven over standard input and output in the engine's own time.
//
// Usage: line CYCLES_A_BIT
//   CYCLES_A_BIT  length of a bit on the host's side in cycles, not always whole
// Standard input holds requests, a letter and a u32 N each, all little-endian:
//   w N, N bytes   put bytes on the line, behind those that are still waiting
//   b N, N bytes   the same without their stop bits
//   r N            run until a 0 has been received, N cycles at most; answer with a u32 and so many bytes: all that was
//                  received up to the first 0
//   s N            run N cycles
//   f 0            run until all bytes have been put on the line
//   x N            reset for N cycles
//   m N, N bytes   put them into the SPI flash, if the design has one, from byte 0 on
//   c 0            answer with a u64: the cycles since the start
// Status 0: the input ended.

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <vector>

#include "Vtop.h"
#include "flash.h"
#include "verilated.h"

namespace {

bool read_all(void* to, size_t count) {
    char* at = static_cast<char*>(to);
    while (count) {
        const ssize_t done = ::read(0, at, count);
        if (done <= 0) return false;
        at += done, count -= done;
    }
    return true;
}

void write_all(const void* from, size_t count) {
    const char* at = static_cast<const char*>(from);
    while (count) {
        const ssize_t done = ::write(1, at, count);
        if (done <= 0) std::exit(1);
        at += done, count -= done;
    }
}

// The host's transmitter: times are in cycles, and edges fall on the first cycle behind their time.
class Sender {
public:
    explicit Sender(double bit) : bit_(bit) {}
    // A byte whose stop bit is missing is followed by a bit of idle line, or the next start bit would be missing too.
    void put(uint8_t byte, bool stop) { waiting_.push_back(byte << 1 | stop << 9 | 1 << 10); }
    bool idle() const { return left_ == 0 && waiting_.empty(); }
    int level() {
        if (left_ == 0) {
            if (waiting_.empty()) return 1;
            bits_ = waiting_.front();
            waiting_.pop_front();
            left_ = bits_ >> 9 & 1 ? 10 : 11;
            until_ = bit_;
        }
        const int level = bits_ & 1;
        until_ -= 1;
        if (until_ <= 0) {
            bits_ >>= 1;
            until_ += bit_;
            --left_;
        }
        return level;
    }

private:
    const double bit_;
    std::deque<int> waiting_;
    int bits_ = 0, left_ = 0;
    double until_ = 0;
};

// The host's receiver: samples in the middle of each bit.
class Receiver {
public:
    explicit Receiver(double bit) : bit_(bit) {}
    void sample(int level) {
        if (left_ == 0) {
            if (level) return;
            left_ = 10;
            until_ = bit_ / 2;
        }
        until_ -= 1;
        if (until_ > 0) return;
        until_ += bit_;
        bits_ = bits_ >> 1 | level << 9;
        if (--left_ == 0) {
            received.push_back(bits_ >> 1 & 0xff);
            zeros += received.back() == 0;
        }
    }
    std::deque<uint8_t> received;
    size_t zeros = 0;

private:
    const double bit_;
    int bits_ = 0, left_ = 0;
    double until_ = 0;
};

// A board's top has no port for the reset: it makes its own.
template <class Top>
auto set_reset(Top& top, int level, int) -> decltype(void(top.rst)) {
    top.rst = level;
}
template <class Top>
void set_reset(Top&, int, long) {}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) return 2;
    const double bit = std::strtod(argv[1], nullptr);
    VerilatedContext context;
    Vtop top(&context, "tritweave");
    Sender sender(bit);
    Receiver receiver(bit);
    Flash flash;
    uint64_t now = 0;
    const auto cycle = [&] {
        top.rx = sender.level();
        top.clk = 0;
        top.eval();
        receiver.sample(top.tx);
        pass_flash(top, flash, 0);
        top.clk = 1;
        top.eval();
        ++now;
    };
    const auto reset = [&](uint32_t cycles) {
        set_reset(top, 1, 0);
        while (cycles--) cycle();
        set_reset(top, 0, 0);
    };
    reset(2);

    for (struct __attribute__((packed)) { char letter; uint32_t count; } request; read_all(&request, sizeof request);) {
        switch (request.letter) {
            case 'w':
            case 'b': {
                std::vector<uint8_t> bytes(request.count);
                if (!read_all(bytes.data(), bytes.size())) return 2;
                for (const uint8_t byte : bytes) sender.put(byte, request.letter == 'w');
                break;
            }
            case 'r': {
                for (uint32_t left = request.count; left && !receiver.zeros; --left) cycle();
                std::vector<uint8_t> bytes;
                while (!receiver.received.empty()) {
                    bytes.push_back(receiver.received.front());
                    receiver.received.pop_front();
                    if (bytes.back() == 0) {
                        --receiver.zeros;
                        break;
                    }
                }
                const uint32_t size = bytes.size();
                write_all(&size, sizeof size);
                write_all(bytes.data(), size);
                break;
            }
            case 's':
                for (uint32_t left = request.count; left; --left) cycle();
                break;
            case 'f':
                while (!sender.idle()) cycle();
                break;
            case 'x':
                reset(request.count);
                break;
            case 'm':
                flash.content.resize(request.count);
                if (!read_all(flash.content.data(), request.count)) return 2;
                break;
            case 'c':
                write_all(&now, sizeof now);
                break;
            default:
                return 2;
        }
    }
    top.final();
    return 0;
}
