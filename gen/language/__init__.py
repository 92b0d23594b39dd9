"""Language models and text: tokens, evaluation, talk. Imports gen's ground files only."""
