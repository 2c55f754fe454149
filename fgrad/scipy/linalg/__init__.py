"""The functions of `scipy.linalg` on traced matrices."""
