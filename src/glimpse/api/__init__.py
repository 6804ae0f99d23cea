"""The HTTP faces. Translates in, translates out, decides nothing."""
