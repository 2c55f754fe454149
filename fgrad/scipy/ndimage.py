"""Interpolation in arrays, as in `scipy.ndimage`."""
