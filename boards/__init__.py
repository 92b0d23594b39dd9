"""Where it runs: board platforms. None is here yet."""
