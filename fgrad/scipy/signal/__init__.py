"""The functions of `scipy.signal` on traced signals."""
