"""What is true: the numpy model of every number the hardware computes, and the formats it is fed with."""
