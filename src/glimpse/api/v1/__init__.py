"""The Image API v1, which is answered where the operator says so."""
