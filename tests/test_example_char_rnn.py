"""The example of a GRU of characters, and the tools that it shares with the transformer."""

from __future__ import annotations

import char_rnn
import characters
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

import fgrad

STRING = "".join(chr(97 + (i * i + i // 7) % 23) for i in range(400))


class Silent:
    """A progress bar without a display."""

    def __init__(self):
        self.posts, self.steps = [], 0

    def set_postfix_str(self, text, refresh):
        self.posts.append(text)

    def update(self):
        self.steps += 1


@given(st.text(min_size=200, max_size=300), st.integers(1, 19))
def test_a_text_is_its_numbers(string, length):
    text = characters.from_string(string, length)
    numbers = np.concatenate([text.train, text.held_out])
    assert text.decode(numbers) == string
    np.testing.assert_array_equal(text.encode(string), numbers)
    assert len(text.held_out) == len(string) // 10


@given(st.integers(0, 1000), st.integers(1, 12), st.integers(1, 30))
def test_targets_are_the_next_characters(seed, size, length):
    ids = np.arange(31)
    x, y = characters.batch(fgrad.random.key(seed), ids, size, length)
    assert x.shape == y.shape == (size, length)
    np.testing.assert_array_equal(y, x + 1)
    again, _ = characters.batch(fgrad.random.key(seed), ids, size, length)
    np.testing.assert_array_equal(again, x)


def test_batches_come_from_all_places():
    x, _ = characters.batch(fgrad.random.key(0), np.arange(7), 500, 3)
    assert set(x[:, 0]) == {0, 1, 2, 3}


@pytest.mark.parametrize("characters_held_out", [21, 47, 100_000])
def test_held_out_windows_cover_the_end(characters_held_out):
    text = characters.Text("ab", np.zeros(10, int), np.arange(characters_held_out))
    x, y = characters.held_out(text, 20)
    assert len(x) == min((characters_held_out - 1) // 20, characters.WINDOWS)
    assert (x[0, 0], y[-1, -1]) == (0, characters_held_out - 1)


def test_the_loss_by_frequency():
    text = characters.Text("ab", np.array([0, 0, 1]), np.array([0, 1]))
    assert characters.by_frequency(text) == pytest.approx(-np.log2(3 / 5 * 2 / 5) / 2)


def test_a_loss_without_knowledge_is_the_logarithm_in_bits():
    model = char_rnn.gru(16, 4, 8)
    _, params = model.net.init(fgrad.random.key(0), (-1, 5), np.float32)
    params["scores"]["weight"] = 0 * params["scores"]["weight"]
    x = np.zeros((2, 5), int)
    loss = characters.loss_of(model.net)
    assert loss(params, x, x) == pytest.approx(4.0)


def test_draws_have_the_probabilities_of_the_softmax():
    scores, keys = np.log(np.array([0.2, 0.8])), fgrad.random.split(fgrad.random.key(3), 2000)
    for temperature, share in ((1.0, 0.8), (0.5, 0.64 / 0.68)):
        drawn = [int(characters.draw(k, scores, temperature)) for k in keys]
        assert np.mean(drawn) == pytest.approx(share, abs=0.03)


def test_single_steps_are_the_layer():
    """What writes and what learns are the same network."""
    model = char_rnn.gru(9, 4, 8)
    _, params = model.net.init(fgrad.random.key(1), (-1, 12), np.float32)
    x = np.random.default_rng(0).integers(0, 9, 12)
    memory, scores = model.begin(), []
    for character in x:
        memory, s = model.advance(params, memory, character)
        scores.append(s)
    expected = model.net.apply(params, x[None])[0]
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)


def test_a_later_character_changes_no_earlier_scores():
    model = char_rnn.gru(9, 4, 8)
    _, params = model.net.init(fgrad.random.key(1), (-1, 12), np.float32)
    x = np.random.default_rng(0).integers(0, 8, (1, 12))
    other = x.copy()
    other[0, 7] += 1
    before, after = model.net.apply(params, x)[0], model.net.apply(params, other)[0]
    np.testing.assert_array_equal(before[:7], after[:7])
    assert np.all(np.max(np.abs(before[7:] - after[7:]), axis=-1) > 0)


def test_a_cold_writer_repeats_what_it_was_taught():
    """A text of one period is learnt, reported, and continued from a prompt."""
    text, bar, said = characters.from_string("to be, or not. " * 40, 16), Silent(), []
    plan = characters.Plan(steps=80, batch=8, length=16, every=40, rate=3e-2, sample=20)
    model, prompt = char_rnn.gru(len(text.characters), 8, 24, 0.0), text.encode("to be, or")
    course = characters.learn(
        model, text, plan, fgrad.random.key(0), temperature=0.05, prompt=prompt,
        say=said.append, bar=bar,
    )  # fmt: skip
    assert (bar.steps, len(bar.posts), len(course.bits)) == (80, 80, 80)
    assert [r.step for r in course.reports] == [40, 80]
    assert course.reports[0].train == pytest.approx(np.mean(course.bits[:40]))
    assert course.reports[1].held_out < 0.5 < course.reports[0].train
    assert "not. to be, or not." in said[1]
    write = characters.writer(model)
    written = write(course.best, fgrad.random.key(2), prompt, 12, 0.05)
    assert text.decode(written) == " not. to be,"


def test_texts_that_cannot_be_used(tmp_path):
    with pytest.raises(characters.TextError, match=r"more than 160 .*it got: 100\. Give a longer"):
        characters.from_string("x" * 100, 16)
    with pytest.raises(characters.TextError, match=r"knows the 23 characters.*it got: 'XYZ'"):
        characters.from_string(STRING, 16).encode("abZYX")
    with pytest.raises(characters.TextError, match=r"none\.txt must be a text in UTF-8.*another"):
        characters.read(tmp_path / "none.txt", 16)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\xfa" * 200)
    with pytest.raises(characters.TextError, match=r"must be a text in UTF-8; .*can't decode"):
        characters.read(tmp_path / "bytes", 16)


def test_the_program_refuses(tmp_path, capsys):
    out = ["--quick", "--out", str(tmp_path)]
    assert char_rnn.main([*out, "--data", str(tmp_path / "none.txt")]) == 2
    assert char_rnn.main([*out, "--prompt", "@"]) == 2
    errors = capsys.readouterr().err
    assert "none.txt must be a text" in errors
    assert "it got: '@'" in errors
    for wrong in ("0", "-1", "nan", "inf", "warm"):
        with pytest.raises(SystemExit):
            char_rnn.main(["--temperature", wrong])
        assert f"wanted a number > 0, got '{wrong}'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_sonnets():
    string = characters.SONNETS.read_text(encoding="utf-8")
    sonnets = string.strip().split("\n\n")
    assert [len(sonnet.split("\n")) for sonnet in sonnets] == [14] * 18
    assert string.isascii()


def test_the_program(tmp_path, capsys):
    assert char_rnn.main(["--quick", "--out", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    for text in ("step 10:", "step 20:", "bits, held out", "by frequency", "at their best"):
        assert text in printed
    assert imread(tmp_path / "new" / "char_rnn.png").std() > 0.05


def test_a_text_of_your_own(tmp_path, capsys):
    (tmp_path / "own.txt").write_text(STRING, encoding="utf-8")
    own = ["--quick", "--data", str(tmp_path / "own.txt"), "--steps", "3"]
    printed = []
    for _ in range(2):
        assert char_rnn.main([*own, "--out", str(tmp_path)]) == 0
        printed.append(capsys.readouterr().out)
    assert "own.txt: 360 characters to learn from, 40 held out, 23 different" in printed[0]
    a, b = (p.split("they write:")[1].split("Pictures")[0] for p in printed)
    assert a == b  # the seed decides all
