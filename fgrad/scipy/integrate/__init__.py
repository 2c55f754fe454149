"""Integrals of samples and of differential equations, as in `scipy.integrate`."""
