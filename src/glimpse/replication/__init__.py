"""Images from one image service into another, or into a folder and back, by the Image API v2 alone."""
