"""Images in a bucket of an S3 server, whoever made it."""
