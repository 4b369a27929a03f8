"""What a POST is answered, once its genuine items are durable.

What will never be of use is answered 202 like what is: anything else would make Graph send it again for four hours.
What may be of use later, or was not looked at, may not be answered so: 202 would lose it in silence.
"""

from collections.abc import Collection

from ringback_ingest.client_state import KeyStatus
from ringback_ingest.webhook.core.admission import Status
from ringback_ingest.webhook.core.notifications import RefusalReason

__all__ = ["answer_to"]


def answer_to(refused: Collection[RefusalReason], key_status: KeyStatus | None, *, key_may_come: bool) -> Status:
    """Decide the status.

    Args:
        refused: why items of the POST were not taken.
        key_status: of the key that its URL names; None for a URL that is not ours.
        key_may_come: whether the unknown key is still waited for that an item names, or the URL of what cannot be
            decoded: an item of it may be in there.
    """
    if RefusalReason.TOO_MANY_ITEMS in refused:
        return Status.TOO_LARGE
    if key_may_come or (RefusalReason.UNDECODABLE in refused and key_status is KeyStatus.VALID):
        return Status.UNAVAILABLE
    return Status.ACCEPTED
