"""What is measured of networks, one file each."""
