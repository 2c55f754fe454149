"""Iterative solvers, as in `scipy.sparse`."""
