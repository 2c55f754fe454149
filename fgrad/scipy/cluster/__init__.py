"""Vector quantisation, as in `scipy.cluster`."""

from __future__ import annotations

from . import vq as vq
