"""Providers of Wicker, in Python: see README.md."""

from .provider import Err, Link, Provider, run
from .process import Failed

__all__ = ["Err", "Failed", "Link", "Provider", "run"]
