import numpy as np
import pytest

from tb.bits import from_words, to_words
from tb.scoreboard import Scoreboard, Vectors


def test_outputs_are_compared_in_order_and_counted():
    def model(words: list[int]) -> list[int]:
        return [sum(words), max(words)]

    board = Scoreboard("board", Vectors(lambda words: len(words) == 2, model))
    for item in (1, 2, 5, 4):
        board.take(item)
    for item in (3, 2, 9, 5):
        board.give(item)
    board.finish()
    assert board.compared == 4


def test_a_wrong_an_early_and_a_missing_output():
    def model(item: int) -> list[int]:
        return [item + 1]

    board = Scoreboard("board", model)
    with pytest.raises(AssertionError, match="board: output 2 where none was due"):
        board.give(2)
    with pytest.raises(AssertionError, match="board: nothing was compared"):
        board.finish()
    board.take(1)
    with pytest.raises(AssertionError, match="board: 1 outputs are missing, first 2"):
        board.finish()
    with pytest.raises(AssertionError, match="board: output 0 is 3; the model gives 2"):
        board.give(3)


@pytest.mark.parametrize("width", [1, 8, 13, 40])
def test_bits_of_a_word(width):
    limit = 1 << width - 1
    values = np.array([[-limit, limit - 1, 0], [-1, 0, -limit]])
    assert to_words(np.array([[1, -1]]), 8) == [0xFF01]
    assert (from_words(to_words(values, width), width, 3) == values).all()
    assert (from_words(to_words(values, width), width, 3, signed=False) == values % (1 << width)).all()
