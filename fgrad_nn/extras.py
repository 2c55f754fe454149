"""Packages that are extras: imported when they are needed, with an error that says what to install.

`import fgrad_nn` needs NumPy alone, and takes no time for what a program doesn't use.
"""

from __future__ import annotations

import importlib
from typing import Any

from fgrad.errors import MissingPackageError


def extra(module: str, what: str) -> Any:
    """Import a module of an extra.

    >>> extra("json", "this example").loads("[1]")
    [1]

    Args:
        module: its name, such as "safetensors".
        what: who wants it, for the message.

    Raises:
        MissingPackageError: it isn't installed.
    """
    package = module.partition(".")[0]
    try:
        importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise MissingPackageError(
            f"{what} wants the package {package}.",
            "an installation without it",
            'python -m pip install "fgrad[nn]"',
        ) from error
    return importlib.import_module(module)
