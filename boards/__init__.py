"""Where it runs: the host's side of the link. Board platforms are not here yet."""
