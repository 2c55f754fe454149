"""What the null device can't show: where CuPy depends on values, or runs compiled code of CUDA's.

Rows of the table of laws, by the name of their function; the strict stand-in has them.
"""

from __future__ import annotations

_CUB = "sorts by code that CUDA's CUB library brings compiled"
_FFT = "plans of cuFFT come from the library itself"
_WORK = "the size of a workspace comes from cuSOLVER itself"
_INFO = "cuBLAS reports success through memory that nothing is written to"
_VALUES = "a shape depends on values"
_GEEV = "this cuSOLVER says that it lacks geev"

BLIND: dict[str, str] = {
    **dict.fromkeys(
        ("sort", "argsort", "sort_complex", "partition", "argpartition", "lexsort", "median",
         "quantile", "percentile", "nanmedian", "nanquantile", "nanpercentile", "searchsorted",
         "digitize", "interp", "unique", "ndarray.sort", "ndarray.argsort", "ndarray.partition",
         "ndarray.searchsorted", "take_along_axis", "isin", "union1d"),
        _CUB,
    ),
    **dict.fromkeys(
        ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fft2", "ifft2", "rfft2", "irfft2",
         "fftn", "ifftn", "rfftn", "irfftn", "convolve", "correlate"),
        _FFT,
    ),
    **dict.fromkeys(("eigh", "eigvalsh", "svd", "svdvals", "pinv", "matrix_rank", "cond"), _WORK),
    **dict.fromkeys(
        ("solve", "inv", "det", "slogdet", "qr", "lstsq", "tensorsolve", "tensorinv",
         "matrix_power", "polyfit", "cholesky"),
        _INFO,
    ),
    **dict.fromkeys(("eig", "eigvals", "roots", "poly"), _GEEV),
    **dict.fromkeys(("ndarray.compress", "compress", "extract", "delete", "at"), _VALUES),
}  # fmt: skip

#: The same of single rows, by the label that the sweep gives them.
BLIND_ROWS: dict[str, str] = {
    **dict.fromkeys(
        ("norm(3x4) 18", "norm(3x4) 19", "norm(3x4) 20", "norm(2x3x4) 2", "norm(2x3x4) 3"), _WORK
    ),
    "pad(3x4) 3": _CUB,
    **dict.fromkeys(
        (
            "histogramdd(8) 0",
            "histogram2d(6,6) 2",
            "array(2,0d) 1",
            "ArrayTracer.__getitem__(3x4x5) 31",
            "ArrayTracer.__getitem__(3x4x5) 32",
        ),
        _VALUES,
    ),
}
