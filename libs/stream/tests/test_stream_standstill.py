"""When a reading is given up."""

import pytest
from ringback_common.errors import Transient
from ringback_stream.shared.read_stalled import ReadStalled


def test_only_what_stands_still_for_too_long_is_given_up() -> None:
    """Progress, however late, begins the time anew; a slow reader of what came is not to blame."""
    moments = iter([0.0, 0.0, 60.0, 60.1, 500.0, 560.0, 560.1])
    standstill = ReadStalled(lambda: next(moments))
    for position in (0, 0, 5, 6, 6):
        standstill.seen(position)
    with pytest.raises(Transient, match="nothing came for 60 s"):
        standstill.seen(6)
