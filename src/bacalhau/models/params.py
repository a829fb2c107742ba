"""Base of the parameters of engines, sources, publishers and results."""

from __future__ import annotations

import msgspec

from bacalhau.models._naming import api_name


class ParamsModel(msgspec.Struct, frozen=True, kw_only=True, rename=api_name):
    """Parameters of one type. All fields are written, also those that hold their default."""
