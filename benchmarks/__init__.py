"""Measurements of momentum-opt on this machine; run with `make bench`."""
