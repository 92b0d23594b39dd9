// ECP5's block RAM: 18,432 bits behind two ports of 1, 2, 4, 9 or 18 bits; or, with DATA_WIDTH_A 36, port A writes 36
// bits, DIB above DIA, and with DATA_WIDTH_B 36 port B reads 36, DOB above DOA. No timing, no global reset.
//
// The upper 11 bits of an address choose a byte of nine bits, the lower ones within it; ports narrower than 9 do not see
// its ninth bit. Ports wider than 9 write the bytes that the lowest bits of the address enable. INITVAL_xx holds 16 words
// of 18 bits, each in 20.
//
// A port is active with CE 1 and CS equal to CSDECODE. While it writes (WE 1), its output keeps its value (WRITEMODE
// NORMAL), takes the new word (WRITETHROUGH) or the old one (READBEFOREWRITE). RST clears the output whatever CE is, and a
// synchronous one keeps the port from writing. REGMODE OUTREG puts a register behind it, enabled by OCE. What is undefined
// in silicon is a pattern that no test expects: bits read in the cycle in which the other port writes them are inverted.
/* verilator lint_off UNUSEDPARAM */
/* verilator lint_off UNUSEDSIGNAL */
module DP16KD #(
    parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18,
    parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG",
    parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC",
    parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL",
    parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000",
    parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB",
    parameter GSR = "ENABLED", INIT_DATA = "STATIC",
    parameter [319:0] INITVAL_00 = 320'd0, INITVAL_01 = 320'd0, INITVAL_02 = 320'd0, INITVAL_03 = 320'd0,
    parameter [319:0] INITVAL_04 = 320'd0, INITVAL_05 = 320'd0, INITVAL_06 = 320'd0, INITVAL_07 = 320'd0,
    parameter [319:0] INITVAL_08 = 320'd0, INITVAL_09 = 320'd0, INITVAL_0A = 320'd0, INITVAL_0B = 320'd0,
    parameter [319:0] INITVAL_0C = 320'd0, INITVAL_0D = 320'd0, INITVAL_0E = 320'd0, INITVAL_0F = 320'd0,
    parameter [319:0] INITVAL_10 = 320'd0, INITVAL_11 = 320'd0, INITVAL_12 = 320'd0, INITVAL_13 = 320'd0,
    parameter [319:0] INITVAL_14 = 320'd0, INITVAL_15 = 320'd0, INITVAL_16 = 320'd0, INITVAL_17 = 320'd0,
    parameter [319:0] INITVAL_18 = 320'd0, INITVAL_19 = 320'd0, INITVAL_1A = 320'd0, INITVAL_1B = 320'd0,
    parameter [319:0] INITVAL_1C = 320'd0, INITVAL_1D = 320'd0, INITVAL_1E = 320'd0, INITVAL_1F = 320'd0,
    parameter [319:0] INITVAL_20 = 320'd0, INITVAL_21 = 320'd0, INITVAL_22 = 320'd0, INITVAL_23 = 320'd0,
    parameter [319:0] INITVAL_24 = 320'd0, INITVAL_25 = 320'd0, INITVAL_26 = 320'd0, INITVAL_27 = 320'd0,
    parameter [319:0] INITVAL_28 = 320'd0, INITVAL_29 = 320'd0, INITVAL_2A = 320'd0, INITVAL_2B = 320'd0,
    parameter [319:0] INITVAL_2C = 320'd0, INITVAL_2D = 320'd0, INITVAL_2E = 320'd0, INITVAL_2F = 320'd0,
    parameter [319:0] INITVAL_30 = 320'd0, INITVAL_31 = 320'd0, INITVAL_32 = 320'd0, INITVAL_33 = 320'd0,
    parameter [319:0] INITVAL_34 = 320'd0, INITVAL_35 = 320'd0, INITVAL_36 = 320'd0, INITVAL_37 = 320'd0,
    parameter [319:0] INITVAL_38 = 320'd0, INITVAL_39 = 320'd0, INITVAL_3A = 320'd0, INITVAL_3B = 320'd0,
    parameter [319:0] INITVAL_3C = 320'd0, INITVAL_3D = 320'd0, INITVAL_3E = 320'd0, INITVAL_3F = 320'd0
) (
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2,
          DIA1, DIA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2,
           DOA1, DOA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2,
          DIB1, DIB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2,
           DOB1, DOB0
);
    localparam [64*320-1:0] INIT = {
        INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38, INITVAL_37,
        INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30, INITVAL_2F, INITVAL_2E,
        INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28, INITVAL_27, INITVAL_26, INITVAL_25,
        INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20, INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C,
        INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18, INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13,
        INITVAL_12, INITVAL_11, INITVAL_10, INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A,
        INITVAL_09, INITVAL_08, INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01,
        INITVAL_00
    };
    wire [17:0] lower = {
        DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1,
        DIA0
    };
    wire [17:0] upper = {
        DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1,
        DIB0
    };
    // Port A is 0, port B is 1.
    wire clock_a = CLKAMUX == "INV" ? ~CLKA : CLKA;
    wire clock_b = CLKBMUX == "INV" ? ~CLKB : CLKB;
    wire [1:0] resets = {RSTB, RSTA};
    wire [1:0] selects = {
        selection(CSDECODE_B) == {CSB2, CSB1, CSB0}, selection(CSDECODE_A) == {CSA2, CSA1, CSA0}
    };
    wire [1:0] enables = {CEB, CEA} & selects;
    wire [1:0] register_enables = {OCEB, OCEA};
    wire [1:0] writes = enables & {WEB, WEA} & ~(RESETMODE == "SYNC" ? resets : 2'b00);
    wire [27:0] addresses = {
        ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
        ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0
    };
    wire [71:0] inputs = {18'd0, upper, upper, lower};
    wire [71:0] outputs;
    // Rows of four bytes; which bits of its row a port writes at its next edge.
    reg [35:0] mem [0:511];
    wire [71:0] written;

    function [2:0] selection(input [39:0] decode);
        selection = {decode[16], decode[8], decode[0]};
    endfunction

    integer word;
    initial for (word = 0; word < 1024; word = word + 1) mem[word / 2][word % 2 * 18 +: 18] = INIT[word * 20 +: 18];

    genvar port;
    generate for (port = 0; port < 2; port = port + 1) begin : ports
        localparam integer WIDTH = port == 0 ? DATA_WIDTH_A : DATA_WIDTH_B;
        localparam WRITEMODE = port == 0 ? WRITEMODE_A : WRITEMODE_B;
        localparam REGMODE = port == 0 ? REGMODE_A : REGMODE_B;
        localparam [35:0] MASK = {36{1'b1}} >> (36 - WIDTH);
        wire clock = port == 0 ? clock_a : clock_b;
        wire [13:0] address = addresses[port * 14 +: 14];
        wire [8:0] row = address[13:5];
        // The place of the word in its row.
        wire [1:0] first_byte = WIDTH == 36 ? 2'd0 : WIDTH == 18 ? {address[4], 1'b0} : address[4:3];
        wire [2:0] first_bit = WIDTH >= 9 ? 3'd0 : address[2:0] & ~(WIDTH[2:0] - 3'd1);
        wire [5:0] place = first_byte * 6'd9 + first_bit;
        wire [3:0] bytes = WIDTH == 36 ? address[3:0] : WIDTH == 18 ? {2'b00, address[1:0]} : 4'b0001;
        wire [35:0] allowed = {{9{bytes[3]}}, {9{bytes[2]}}, {9{bytes[1]}}, {9{bytes[0]}}} & MASK;
        wire [35:0] data = inputs[port * 36 +: 36] << place;
        assign written[port * 36 +: 36] = writes[port] ? allowed << place : 36'd0;

        integer i;
        always @(posedge clock)
            for (i = 0; i < 36; i = i + 1) if (written[port * 36 + i]) mem[row][i] <= data[i];

        localparam OTHER = 1 - port;
        wire [35:0] disturbed = addresses[OTHER * 14 + 5 +: 9] == row ? written[OTHER * 36 +: 36] : 36'd0;
        wire [35:0] own = WRITEMODE == "WRITETHROUGH" ? written[port * 36 +: 36] : 36'd0;
        wire [35:0] seen = (mem[row] ^ disturbed) & ~own | data & own;
        reg [35:0] latch = 36'd0, register = 36'd0;
        wire cleared = RESETMODE == "ASYNC" && resets[port];
        always @(posedge clock, posedge cleared)
            if (resets[port]) begin
                latch <= 36'd0;
                register <= 36'd0;
            end else begin
                if (enables[port] && !(writes[port] && WRITEMODE == "NORMAL")) latch <= seen >> place & MASK;
                if (register_enables[port]) register <= latch;
            end
        assign outputs[port * 36 +: 36] = REGMODE == "OUTREG" ? register : latch;
    end endgenerate

    assign {
        DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1,
        DOA0
    } = DATA_WIDTH_B == 36 ? outputs[53:36] : outputs[17:0];
    assign {
        DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1,
        DOB0
    } = DATA_WIDTH_B == 36 ? outputs[71:54] : outputs[53:36];
endmodule
/* verilator lint_on UNUSEDPARAM */
/* verilator lint_on UNUSEDSIGNAL */
