"""Who asks, and how a request is called in the report."""

PERSONAS = ("admin", "demo", "reader", "demo2", "nobody")


def named(group: str, detail: object) -> str:
    """The name of an exchange."""
    return f"{group}: {detail}"
