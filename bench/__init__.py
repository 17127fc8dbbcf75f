"""What the service costs beside its peers: `python -m bench`, `python -m bench.flood`, `python -m bench.oracles`."""
