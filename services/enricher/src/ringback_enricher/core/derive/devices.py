"""The devices of one side during a media: microphone or camera, loudspeaker or headset."""

from typing import Any, cast

from ringback_events.wire import DeviceWire

from ringback_enricher.core.derive.field_reader import Members, text

__all__ = ["device"]


def device(value: Any) -> DeviceWire | None:
    """Derive the names of a `deviceInfo` (Graph: deviceInfo); None where it names none.

    For video what captures is the camera. Names may be people's ("Anna's headset") and stay in the restricted tier.
    """
    if type(value) is not dict:
        return None
    named = cast("Members", value)
    names: DeviceWire = {
        "captureName": text(named.get("captureDeviceName")) or None,
        "captureDriver": text(named.get("captureDeviceDriver")) or None,
        "renderName": text(named.get("renderDeviceName")) or None,
        "renderDriver": text(named.get("renderDeviceDriver")) or None,
    }
    return names if any(names.values()) else None
