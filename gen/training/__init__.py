"""Training of the shipped networks. Imports gen's ground files only; PyTorch is an extra."""
