"""Vector quantisation, as in `scipy.cluster`."""
