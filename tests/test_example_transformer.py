"""The example of a transformer of characters: its causal mask, its window, its output."""

from __future__ import annotations

import characters
import numpy as np
import pytest
import transformer
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

import fgrad

LENGTH, COUNT = 10, 7
MODEL = transformer.transformer(COUNT, LENGTH, 8, 2, 2, 0.0)
PARAMS = MODEL.net.init(fgrad.random.key(0), (-1, LENGTH), np.float64)[1]


@given(st.integers(0, 10_000), st.integers(0, LENGTH - 1))
def test_a_later_character_changes_no_earlier_scores(seed, place):
    """But its own and all later ones, so that the mask isn't too strict either."""
    x = np.random.default_rng(seed).integers(0, COUNT, (1, LENGTH))
    other = x.copy()
    other[0, place] = (x[0, place] + 1) % COUNT
    before, after = MODEL.net.apply(PARAMS, x)[0], MODEL.net.apply(PARAMS, other)[0]
    np.testing.assert_array_equal(before[:place], after[:place])
    assert np.all(np.max(np.abs(before[place:] - after[place:]), axis=-1) > 1e-9)


def test_the_scores_of_a_window_are_those_of_its_beginnings():
    x = np.random.default_rng(1).integers(0, COUNT, (3, LENGTH))
    whole = MODEL.net.apply(PARAMS, x)
    for n in range(1, LENGTH + 1):
        part = MODEL.net.apply(PARAMS, x[:, :n])
        np.testing.assert_allclose(part, whole[:, :n], rtol=1e-12, atol=1e-13)


def test_a_gradient_goes_to_the_past_only():
    def score(vectors):
        h = vectors
        for name, part in zip(("positions", "blocks", "scores"), parts, strict=True):
            h = part.apply(PARAMS[name], h)
        return np.sum(h[0, 4])

    nn = transformer.nn
    parts = (
        nn.learned_positions(LENGTH), nn.transformer_encoder(2, 2, causal=True), nn.dense(COUNT),
    )  # fmt: skip
    slopes = fgrad.grad(score)(np.random.default_rng(2).normal(size=(1, LENGTH, 8)))[0]
    assert np.all(slopes[5:] == 0)
    assert np.all(np.any(slopes[:5] != 0, axis=-1))


def test_the_check_of_the_mask_finds_a_model_without_one():
    nn = transformer.nn
    blind = nn.serial(
        vectors=nn.embedding(COUNT, 8), positions=nn.learned_positions(LENGTH),
        blocks=nn.transformer_encoder(2, 2), scores=nn.dense(COUNT),
    )  # fmt: skip
    x = np.random.default_rng(1).integers(0, COUNT, (3, LENGTH))
    assert transformer.foresight(MODEL, PARAMS, x, COUNT) == 0
    assert transformer.foresight(MODEL._replace(net=blind), PARAMS, x, COUNT) > 1e-3


@pytest.mark.parametrize("jitted", [False, True])
def test_writing_one_by_one_is_the_network_on_the_last_characters(jitted):
    advance = fgrad.jit(MODEL.advance) if jitted else MODEL.advance
    x = np.random.default_rng(0).integers(0, COUNT, 2 * LENGTH + 3)
    memory = MODEL.begin()
    for i, character in enumerate(x):
        memory, scores = advance(PARAMS, memory, character)
        seen = x[max(0, i + 1 - LENGTH) : i + 1]
        expected = MODEL.net.apply(PARAMS, seen[None])[0, -1]
        np.testing.assert_allclose(scores, expected, rtol=1e-10, atol=1e-12)


def test_dropout_is_for_training():
    net = transformer.transformer(COUNT, LENGTH, 8, 2, 1, 0.5).net
    _, params = net.init(fgrad.random.key(0), (-1, LENGTH), np.float64)
    loss, x = characters.loss_of(net), np.zeros((2, LENGTH), int)
    assert loss(params, x, x) == loss(params, x, x)
    a, b = (loss(params, x, x, fgrad.random.key(i)) for i in range(2))
    assert a != b


def test_the_program(tmp_path, capsys):
    assert transformer.main(["--quick", "--out", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    for text in ("step 20:", "bits, held out", "by frequency", "at their best"):
        assert text in printed
    assert "scores of the earlier change by 0." in printed
    assert imread(tmp_path / "new" / "transformer.png").std() > 0.05
