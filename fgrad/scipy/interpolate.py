"""Interpolation on grids and by splines, as in `scipy.interpolate`."""
