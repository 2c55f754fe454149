"""Rotations, as in `scipy.spatial`."""
