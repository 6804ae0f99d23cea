"""Image signatures: what an image's properties say was signed, and whether it was."""
