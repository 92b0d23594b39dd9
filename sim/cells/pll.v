// Phase-locked loops that pass their input on: the simulated time is that of the output. They lock after 16 cycles.
// Parameters that choose a frequency are here to be accepted.
/* verilator lint_off UNUSEDPARAM */
/* verilator lint_off UNUSEDSIGNAL */
`define SB_PLL40(NAME, INPUT) \
    module NAME #( \
        parameter FEEDBACK_PATH = "SIMPLE", \
        parameter DELAY_ADJUSTMENT_MODE_FEEDBACK = "FIXED", DELAY_ADJUSTMENT_MODE_RELATIVE = "FIXED", \
        parameter PLLOUT_SELECT = "GENCLK", \
        parameter SHIFTREG_DIV_MODE = 0, FDA_FEEDBACK = 0, FDA_RELATIVE = 0, \
        parameter DIVR = 0, DIVF = 0, DIVQ = 0, FILTER_RANGE = 0, \
        parameter ENABLE_ICEGATE = 0, TEST_MODE = 0 \
    ) ( \
        input INPUT, RESETB, BYPASS, EXTFEEDBACK, LATCHINPUTVALUE, SDI, SCLK, \
        input [7:0] DYNAMICDELAY, \
        output PLLOUTGLOBAL, PLLOUTCORE, LOCK, SDO \
    ); \
        PLL_MODEL model(.i(INPUT), .o(PLLOUTGLOBAL), .lock(LOCK)); \
        assign PLLOUTCORE = PLLOUTGLOBAL; \
        assign SDO = 1'b0; \
    endmodule
`SB_PLL40(SB_PLL40_CORE, REFERENCECLK)
`SB_PLL40(SB_PLL40_PAD, PACKAGEPIN)
`undef SB_PLL40

module EHXPLLL #(
    parameter CLKI_DIV = 1,
    parameter CLKFB_DIV = 1,
    parameter CLKOP_DIV = 1,
    parameter CLKOP_ENABLE = "ENABLED",
    parameter CLKOP_CPHASE = 0,
    parameter CLKOP_FPHASE = 0,
    parameter FEEDBK_PATH = "CLKOP",
    parameter OUTDIVIDER_MUXA = "DIVA",
    parameter INTFB_WAKE = "DISABLED",
    parameter STDBY_ENABLE = "DISABLED",
    parameter PLLRST_ENA = "DISABLED",
    parameter DPHASE_SOURCE = "DISABLED"
) (
    input CLKI, CLKFB, RST, STDBY, PHASESEL0, PHASESEL1, PHASEDIR, PHASESTEP, PHASELOADREG, PLLWAKESYNC, ENCLKOP,
    output CLKOP, LOCK
);
    PLL_MODEL model(.i(CLKI), .o(CLKOP), .lock(LOCK));
endmodule

module PLL_MODEL (
    input i,
    output o,
    output reg lock
);
    reg [3:0] count;
    assign o = i;
    initial {lock, count} = 5'd0;
    always @(posedge i) if (!lock) {lock, count} <= count + 5'd1;
endmodule
/* verilator lint_on UNUSEDPARAM */
/* verilator lint_on UNUSEDSIGNAL */
