"""Durable background work: jobs that outlive the process that began them."""
