"""The other end of the wire: fetch an image, verify it, keep it, and boot instances from it on this host."""
