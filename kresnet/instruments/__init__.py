"""What is measured inside networks, one file each."""

from kresnet.instruments.gradients import Gradients
from kresnet.instruments.instrument import (
    Instrument,
    Measured,
    Subject,
    Table,
    measure_run,
    write_rows,
)
from kresnet.instruments.responses import Responses

# All that kresnet ships; a report shows them in this order.
INSTRUMENTS: tuple[type[Instrument], ...] = (Responses, Gradients)

__all__ = [
    "INSTRUMENTS",
    "Gradients",
    "Instrument",
    "Measured",
    "Responses",
    "Subject",
    "Table",
    "measure_run",
    "write_rows",
]
