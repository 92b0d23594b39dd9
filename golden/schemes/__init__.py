"""Published weight schemes as planes of trits over segments, in floats and in integers. Imports files."""
