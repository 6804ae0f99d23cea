"""Images as volumes of Cinder: a volume for each, which Cinder can clone without copying."""
