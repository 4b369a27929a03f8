"""The programs of the consumer kit's README, for tests that run them word for word."""

import re
from pathlib import Path

__all__ = ["blocks"]

_README = Path(__file__).parents[3] / "libs" / "events" / "README.md"


def blocks() -> str:
    """Its Python blocks as one program, without what each does when it is run alone."""
    found = re.findall(r"```python\n(.*?)```", _README.read_text("utf-8"), re.DOTALL)
    return "".join(block.partition("if __name__")[0] for block in found)
