// iCE40 cells as they behave in the modes that the generated Verilog uses; no timing.
// Pins that choose a mode are here to be accepted, for there is only that one.
/* verilator lint_off UNUSEDSIGNAL */

// 16,384 words of 16 bits behind one port, powered and selected, written whole: CHIPSELECT 1, MASKWREN 1111, POWEROFF 1,
// SLEEP and STANDBY 0. What silicon leaves undefined is a pattern that no test expects: words not written yet, and the
// output after a write.
module SB_SPRAM256KA (
    input CLOCK,
    input [13:0] ADDRESS,
    input [15:0] DATAIN,
    input [3:0] MASKWREN,
    input WREN, CHIPSELECT, STANDBY, SLEEP, POWEROFF,
    output reg [15:0] DATAOUT
);
    reg [15:0] mem [0:16383];
    integer i;
    initial for (i = 0; i < 16384; i = i + 1) mem[i] = 16'h5aa5;
    always @(posedge CLOCK)
        if (WREN) begin
            mem[ADDRESS] <= DATAIN;
            DATAOUT <= ~DATAIN;
        end else
            DATAOUT <= mem[ADDRESS];
endmodule
/* verilator lint_on UNUSEDSIGNAL */

// A four-input table.
module SB_LUT4 #(
    parameter [15:0] LUT_INIT = 16'h0000
) (
    input I0, I1, I2, I3,
    output O
);
    assign O = LUT_INIT[{I3, I2, I1, I0}];
endmodule

// The carry of a logic cell: that of a full adder.
module SB_CARRY (
    input I0, I1, CI,
    output CO
);
    assign CO = I0 & I1 | I0 & CI | I1 & CI;
endmodule
