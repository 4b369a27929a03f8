"""How often requests that are put aside are written, and what of a quota is used meanwhile: `python -m bench.aside`."""
