// ECP5's multiplier of 18 x 18 bits, without its input C and its shift chains; no timing, no global reset.
//
// SIGNEDA and SIGNEDB say whether A and B are signed. Each of REG_INPUTA, REG_INPUTB, REG_PIPELINE and REG_OUTPUT puts a
// register at its place, if its _CLK is not "NONE": all of them with CLK0, CE0 and RST0, the only ones of each that are
// modelled. RESETMODE must be "SYNC", and the signs must be constant.
/* verilator lint_off UNUSEDPARAM */
/* verilator lint_off UNUSEDSIGNAL */
module MULT18X18D #(
    parameter REG_INPUTA_CLK = "NONE", REG_INPUTA_CE = "CE0", REG_INPUTA_RST = "RST0",
    parameter REG_INPUTB_CLK = "NONE", REG_INPUTB_CE = "CE0", REG_INPUTB_RST = "RST0",
    parameter REG_PIPELINE_CLK = "NONE", REG_PIPELINE_CE = "CE0", REG_PIPELINE_RST = "RST0",
    parameter REG_OUTPUT_CLK = "NONE", REG_OUTPUT_CE = "CE0", REG_OUTPUT_RST = "RST0",
    parameter GSR = "ENABLED", RESETMODE = "SYNC"
) (
    input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
    input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
    input C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
    input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
    input CLK0, CE0, RST0,
    output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17, P16, P15, P14,
           P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
    wire [17:0] a = {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
    wire [17:0] b = {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
    reg [17:0] held_a = 18'd0, held_b = 18'd0;
    reg [35:0] middle = 36'd0, held_p = 36'd0;
    wire [17:0] left = REG_INPUTA_CLK == "NONE" ? a : held_a;
    wire [17:0] right = REG_INPUTB_CLK == "NONE" ? b : held_b;
    wire [35:0] product = {{18{SIGNEDA & left[17]}}, left} * {{18{SIGNEDB & right[17]}}, right};
    wire [35:0] piped = REG_PIPELINE_CLK == "NONE" ? product : middle;
    always @(posedge CLK0)
        if (RST0) begin
            held_a <= 18'd0;
            held_b <= 18'd0;
            middle <= 36'd0;
            held_p <= 36'd0;
        end else if (CE0) begin
            held_a <= a;
            held_b <= b;
            middle <= product;
            held_p <= piped;
        end
    assign {
        P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17, P16, P15, P14, P13,
        P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
    } = REG_OUTPUT_CLK == "NONE" ? piped : held_p;
endmodule
/* verilator lint_on UNUSEDPARAM */
/* verilator lint_on UNUSEDSIGNAL */
