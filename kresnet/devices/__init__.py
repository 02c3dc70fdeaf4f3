"""Which devices a run uses, and how its arrays are spread over them."""

from kresnet.devices.choice import Devices, choose_devices
from kresnet.devices.joining import join
from kresnet.devices.overview import overview
from kresnet.devices.placement import (
    Placement,
    devices_for,
    place,
    place_team,
    refuse_missing_devices,
    visible_gpus,
)
from kresnet.devices.request import DeviceRequest, parse_devices
from kresnet.devices.team import Membership, ProcessLostError, Team

__all__ = [
    "DeviceRequest",
    "Devices",
    "Membership",
    "Placement",
    "ProcessLostError",
    "Team",
    "choose_devices",
    "devices_for",
    "join",
    "overview",
    "parse_devices",
    "place",
    "place_team",
    "refuse_missing_devices",
    "visible_gpus",
]
