"""What the machine has and does: devices, processes, signals, backends."""
