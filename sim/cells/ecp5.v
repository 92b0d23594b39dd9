// ECP5 cells as they behave in the modes that the generated Verilog uses; no timing.
// Parameters that choose a mode are here to be accepted, for there is only that one.
/* verilator lint_off UNUSEDPARAM */

// Two bits of a carry chain. Each half is a four-input table whose output is added to the carry; where that output is 0,
// the carry sent on is a two-input table of A and B, the lowest four bits of INIT. INJECT1 must be "NO".
module CCU2C #(
    parameter [15:0] INIT0 = 16'h0000,
    parameter [15:0] INIT1 = 16'h0000,
    parameter INJECT1_0 = "NO",
    parameter INJECT1_1 = "NO"
) (
    input CIN,
    input A0, B0, C0, D0,
    input A1, B1, C1, D1,
    output S0, S1,
    output COUT
);
    wire propagate0 = INIT0[{D0, C0, B0, A0}];
    wire propagate1 = INIT1[{D1, C1, B1, A1}];
    wire carry = propagate0 ? CIN : INIT0[{2'b00, B0, A0}];
    assign S0 = propagate0 ^ CIN;
    assign S1 = propagate1 ^ carry;
    assign COUT = propagate1 ? carry : INIT1[{2'b00, B1, A1}];
endmodule

// A register without enable or reset that powers up at 0: CEMUX "1", GSR "DISABLED", REGSET "RESET", LSR tied to 0.
module TRELLIS_FF #(
    parameter GSR = "DISABLED",
    parameter CEMUX = "1",
    parameter CLKMUX = "CLK",
    parameter LSRMUX = "LSR",
    parameter REGSET = "RESET"
) (
    input CLK,
    input LSR,
    input DI,
    output reg Q
);
    initial Q = 1'b0;
    always @(posedge CLK) Q <= DI;
endmodule
/* verilator lint_on UNUSEDPARAM */
