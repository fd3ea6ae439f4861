"""What recognition makes of an engine's pieces."""

from wyoming_voice.engines.protocol import Heard, Word
from wyoming_voice.recognition import joined


def test_tokens_without_times_of_their_own_are_one_segment() -> None:
    tokens = [Heard("При", 0, 3), Heard("вет", 0, 3), Heard(" мир", 0, 3), Heard(" Пока", 3, 5)]
    assert joined(tokens) == [Heard("Привет мир", 0, 3), Heard(" Пока", 3, 5)]


def test_words_that_come_last_belong_to_what_was_said() -> None:
    words = (Word("Привет", 0.1, 0.6),)
    assert joined([Heard("Привет", 0, 1), Heard("", 0, 0, None, words)]) == [Heard("Привет", 0, 1, None, words)]


def test_segments_with_times_stay() -> None:
    pieces = [Heard("a", 0, 1), Heard(" b", 1, 2)]
    assert joined(pieces) == pieces
    assert joined([]) == []
