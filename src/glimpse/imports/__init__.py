"""Interoperable image import: methods by which data comes, and steps that it goes through, run as jobs."""
