"""Iterative solvers of linear systems, as in `scipy.sparse.linalg`."""
