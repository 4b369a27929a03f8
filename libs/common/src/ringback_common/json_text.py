"""The text of a JSON document as .NET and JavaScript decode it; orjson takes UTF-8 without a byte order mark only."""

import json

__all__ = ["text_of"]


def text_of(data: bytes) -> str:
    """Decode UTF-8, UTF-16 or UTF-32, with or without a byte order mark; bytes of no character become U+FFFD."""
    return data.decode(json.detect_encoding(data), "replace")
