"""What Orpheus is asked and what its tokens mean: no torch, no weights."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wyoming_voice.engines import orpheus_files
from wyoming_voice.engines.orpheus_text import PIECE, TAGS, opening, pieces
from wyoming_voice.engines.orpheus_tokens import CODES, Example, Frame, Framer, Prompt, TokenText, audio_ids, budget
from wyoming_voice.engines.protocol import Options
from wyoming_voice.errors import BadRequest
from wyoming_voice.text.clean import Cleaner
from wyoming_voice.text.normalize import normalize

FRAME = (0, 1, 2, 3, 4, 5, 4095)
FRAMES = st.lists(st.tuples(*[st.integers(0, CODES - 1)] * 7))


def encode(text: str) -> list[int]:
    return [128_000, *map(ord, text)]


def framed(tokens: Sequence[int]) -> tuple[list[Frame], int]:
    framer = Framer()
    frames = [frame for token in tokens if (frame := framer.add(token)) is not None]
    framer.finish()
    return frames, framer.skipped


def test_a_prompt_has_the_layout_of_the_released_models() -> None:
    prompt = Prompt("hi", "tara")
    assert prompt.ids(encode) == [128_259, *encode("tara: hi"), 128_009, 128_260, 128_261, 128_257]
    assert prompt.written() == (
        "<custom_token_3><|begin_of_text|>tara: hi<|eot_id|><custom_token_4><custom_token_5><custom_token_1>"
    )


def test_recordings_go_before_the_text_in_the_layout_of_the_pretrained_model() -> None:
    prompt = Prompt("hi", examples=(Example("one", (FRAME,)), Example("two", (FRAME, FRAME))))
    turn = [128_009, 128_260, 128_261, 128_257]
    audio = [128_266, 132_363, 136_460, 140_557, 144_654, 148_751, 128_266 + 6 * 4096 + 4095]
    assert prompt.ids(encode) == [
        *(128_259, *encode("one"), *turn, *audio, 128_258, 128_262),
        *(128_259, *encode("two"), *turn, *audio, *audio, 128_258, 128_262),
        *(128_259, *encode("hi"), *turn),
    ]
    assert prompt.written().count("<custom_token_10>") == 3


@given(FRAMES)
def test_frames_come_back_from_their_tokens(frames: list[Frame]) -> None:
    assert framed(audio_ids(frames)) == (frames, 0)


@given(st.lists(st.integers(128_256, 156_939) | st.integers(-1, 200_000)), FRAMES)
def test_tokens_out_of_order_are_counted_and_harm_no_others(noise: list[int], frames: list[Frame]) -> None:
    found, skipped = framed([*noise, *audio_ids(frames)])
    assert found[len(found) - len(frames) :] == frames
    assert 7 * len(found) + skipped == len(noise) + 7 * len(frames)
    assert all(0 <= code < CODES for frame in found for code in frame)


@pytest.mark.parametrize(("change", "lost"), [("missing", 6), ("twice", 1), ("text", 1)])
def test_a_wrong_token_costs_its_frame_at_most(change: str, lost: int) -> None:
    first = audio_ids([FRAME])
    wrong = {"missing": [*first[:3], *first[4:]], "twice": [*first[:4], first[3], *first[4:]], "text": [42, *first]}
    frames, skipped = framed([*audio_ids([FRAME]), *wrong[change], *audio_ids([FRAME])])
    assert len(frames) == (2 if change == "missing" else 3)
    assert skipped == lost


@given(st.lists(st.integers(0, 28_683)), st.data())
def test_written_tokens_are_read_however_they_are_cut(numbers: list[int], data: st.DataObject) -> None:
    text = "".join(f"<custom_token_{number}>" for number in numbers)
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10))), len(text)]
    reader = TokenText()
    found = [token for start, end in pairwise(cuts) for token in reader.feed(text[start:end])]
    assert found == [128_256 + number for number in numbers]


def test_what_is_no_token_is_told() -> None:
    reader = TokenText()
    assert reader.feed("so <custom_token_10> <b> <custom") == [-1, 128_266, -1]
    assert reader.feed("_token_11>") == [128_267]


@given(st.text(st.characters(exclude_categories=())))
def test_pieces_are_short_and_can_be_written(text: str) -> None:
    for piece in pieces(text):
        assert 0 < len(piece) <= PIECE
        assert any(character.isalnum() for character in piece)
        assert piece.encode()  # which half characters cannot be


@given(st.lists(st.text("абвгдxyz,.!?<>", min_size=1, max_size=40), max_size=60))
def test_words_stay_whole_and_in_order(words: list[str]) -> None:
    said = [word for piece in pieces(" ".join(words)) for word in piece.split()]
    assert [word for word in said if word.isalnum()] == [word for word in words if word.isalnum()]


def test_a_text_is_cut_after_a_sentence_else_a_clause_else_a_word() -> None:
    sentence = "Раз два три четыре, пять шесть семь восемь девять десять! "
    assert all(piece.endswith("!") for piece in pieces(sentence * 10))
    assert next(pieces(sentence.replace("!", "") * 10)).endswith(",")
    assert [len(piece) for piece in pieces("при" * 500)] == [PIECE] * 6 + [180]


def test_names_of_tokens_are_not_read() -> None:
    assert list(pieces("a <|eot_id|><custom_token_2> b\ud800\0")) == ["a b"]


@pytest.mark.parametrize("text", ["", "...", "😀", "<|eot_id|>"])
def test_without_words_there_is_nothing_to_say(text: str) -> None:
    assert list(pieces(text)) == []


@pytest.mark.parametrize("tag", TAGS)
def test_sounds_reach_the_model_as_they_were_written(tag: str) -> None:
    cleaner = Cleaner()
    text = f"Well <{tag}> fine."
    assert normalize(cleaner.feed(text) + cleaner.finish(), "en", frozenset({"latin", "cyrillic"})) == text
    assert list(pieces(text)) == [text]


@pytest.mark.parametrize(
    ("style", "said"),
    [(None, ""), ("  ", ""), ("laugh", "<laugh>"), ("<sigh>", "<sigh>"), ("Laughing softly", "<laugh>"),
     ("со смехом", "<laugh>"), ("Cheerful", "<chuckle> oh"), ("вздохнув", "<sigh>")],
)  # fmt: skip
def test_a_style_is_a_sound_before_the_text(style: str | None, said: str) -> None:
    assert opening(style, {"cheerful": "<chuckle> oh"}) == said


def test_an_unknown_style_is_told_with_those_there_are() -> None:
    with pytest.raises(BadRequest, match=r"no style 'angry'.*laugh, chuckle, .*gasp, cheerful"):
        opening("angry", {"cheerful": "<laugh>"})


def test_a_text_has_an_end_that_grows_with_it() -> None:
    assert 2.5 * 82 < budget("a") < 3 * 82
    assert budget("a" * PIECE) < 60 * 82
    assert budget("a") % 7 == 0


@pytest.mark.parametrize(
    ("options", "names", "languages"),
    [
        ({}, ["orpheus-tara", "orpheus-leah"], ("en",)),
        ({"model": "me/orpheus-ru", "voices": ["Анна"], "languages": "RU"}, ["orpheus-анна"], ("ru",)),
        ({"model": "me/orpheus-one", "voices": [], "languages": ["de", "en"]}, ["orpheus"], ("de", "en")),
        ({"model": "canopylabs/orpheus-3b-0.1-pretrained"}, [], ()),
        ({"needs_reference": True}, [], ()),
    ],
)
def test_voices_are_those_of_the_model(options: Options, names: list[str], languages: tuple[str, ...]) -> None:
    voices = orpheus_files.voices(options)
    assert [voice.name for voice in voices][:2] == names
    assert all(voice.languages == languages for voice in voices)
    assert orpheus_files.abilities(options) == ({"style"} if names else {"style", "clone"})


def test_weights_are_missing_until_they_are_whole(tmp_path: Path) -> None:
    options = {"data_dir": str(tmp_path)}
    model = tmp_path / "weights" / "orpheus" / "unsloth--orpheus-3b-0.1-ft"
    codec = tmp_path / "weights" / "orpheus" / "hubertsiuzdak--snac_24khz"
    for folder, files in ((model, ("config.json", "tokenizer.json", "model.safetensors")),
                          (codec, ("config.json", "pytorch_model.bin"))):  # fmt: skip
        folder.mkdir(parents=True)
        for file in files:
            said = orpheus_files.missing(options)
            assert said is not None
            assert str(folder) in said
            assert "./run.sh engines install orpheus --weights" in said
            (folder / file).touch()
    assert orpheus_files.missing(options) is None


def test_with_a_completion_server_only_the_codec_is_needed(tmp_path: Path) -> None:
    options = {"data_dir": str(tmp_path), "completions_url": "http://localhost:8000/v1"}
    assert "no audio codec" in str(orpheus_files.missing(options))
    for file in ("config.json", "pytorch_model.bin"):
        (tmp_path / file).touch()
    assert orpheus_files.missing({**options, "codec": str(tmp_path)}) is None
