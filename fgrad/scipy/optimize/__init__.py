"""Minima and roots over pytrees, as in `scipy.optimize`."""
