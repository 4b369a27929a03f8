"""`ringback-enricher rederive`: after a change of the rules, every kept record is derived and published anew."""
