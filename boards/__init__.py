"""Where it runs: boards, their clocks and bitstreams, flashing, and the host's side of the link."""
