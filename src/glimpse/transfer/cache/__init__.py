"""The image cache: data of images in files of this host, each read from its store once (decision 015)."""
