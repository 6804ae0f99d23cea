"""Images as virtual disks of Sheepdog."""
