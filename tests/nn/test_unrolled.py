"""Matrices of windows have the windows as rows, however the inputs lie in memory."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from fgrad_nn.layers import unrolled, windows
from fgrad_nn.layers.windows import Form


def laid_out(x, layout):
    """The same numbers, which lie in memory otherwise."""
    if layout == "channels first":
        return np.moveaxis(np.moveaxis(x, -1, 1).copy(), 1, -1)
    if layout == "every other":
        return np.repeat(x, 2, axis=1)[:, ::2]
    return x


@pytest.mark.parametrize("few", [0, 100])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("padding", [(0, 0), (2, 1), (-1, 0)])
@pytest.mark.parametrize("layout", ["plain", "channels first", "every other"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_rows_are_windows(monkeypatch, n, layout, padding, channels, few):
    monkeypatch.setattr(unrolled, "FEW", few)
    monkeypatch.setattr(windows, "CHUNK", 400)
    lengths, window = (6, 6, 7)[:n], (2, 3, 2)[-n:]
    numbers = np.arange(2.0 * math.prod(lengths) * channels).astype(np.float32)
    x = laid_out(numbers.reshape(2, *lengths, channels), layout)
    padded = windows.pad(x, [padding] * n)
    for strides, dilation in itertools.product([1, 2], repeat=2):
        form = Form((strides,) * n, (padding,) * n, (dilation,) * n)
        places = form.places(lengths, window)
        seen = 0
        for (images, rows), matrix in unrolled.matrices(x, window, form):
            assert matrix.dtype == x.dtype
            spots = itertools.product(
                range(2)[images], range(places[0])[rows], *map(range, places[1:])
            )
            for row, (image, *place) in itertools.zip_longest(matrix[0], spots):
                inside = [
                    slice(p * strides, p * strides + dilation * (k - 1) + 1, dilation)
                    for p, k in zip(place, window, strict=True)
                ]
                np.testing.assert_array_equal(row, padded[(image, *inside)].ravel())
                seen += 1
        assert seen == 2 * math.prod(places)
