"""Tokenizers made of a text."""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers


def byte_pairs(text: str, size: int) -> Tokenizer:
    """Byte-level pair encoding of so many tokens, the mark the first."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=["<|endoftext|>"], show_progress=False)
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


def characters(text: str) -> Tokenizer:
    """A token for every byte that the text has."""
    return byte_pairs(text, 0)
