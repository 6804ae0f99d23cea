"""Bytes in and bytes out. Knows neither HTTP nor SQL; asks the catalog to begin, to commit and to undo."""
