"""The options, grouped as operators know them."""
