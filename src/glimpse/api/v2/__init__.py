"""The OpenStack Image API v2."""
