"""Glimpse: an image service for virtual machines."""

__version__ = "0.1.0"
