"""The bench: each process at full load beside a bare baseline, in one run, with what it costs. `python -m bench`."""
