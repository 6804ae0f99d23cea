"""Images in Swift, as objects or as large objects of segments."""
