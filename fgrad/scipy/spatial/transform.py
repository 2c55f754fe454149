"""Rotations, as in `scipy.spatial.transform`."""
