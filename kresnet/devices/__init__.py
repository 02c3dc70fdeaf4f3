"""Which devices a run uses, and how its arrays are spread over them."""

from kresnet.devices.choice import Devices, choose_devices
from kresnet.devices.overview import overview
from kresnet.devices.placement import (
    Placement,
    devices_for,
    place,
    visible_gpus,
)
from kresnet.devices.request import DeviceRequest, parse_devices

__all__ = [
    "DeviceRequest",
    "Devices",
    "Placement",
    "choose_devices",
    "devices_for",
    "overview",
    "parse_devices",
    "place",
    "visible_gpus",
]
