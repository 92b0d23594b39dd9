"""The activation quantiser, its dividers and maxima. Imports rtl's ground files only."""
