"""The cosine and sine transforms of `scipy.fft`, and its Fourier transforms."""
