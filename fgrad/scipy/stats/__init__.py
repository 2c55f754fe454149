"""The distributions of `scipy.stats`, differentiable in the value and in every parameter."""
