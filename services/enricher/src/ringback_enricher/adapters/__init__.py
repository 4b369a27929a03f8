"""What the enricher touches: Graph and the files it is configured by."""
