"""Images as files in the datastores of a vCenter."""
