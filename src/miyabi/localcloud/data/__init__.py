"""The data plane: drivers for what runs. Small: start, stop, probe, sample. They decide nothing."""
