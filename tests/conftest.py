from hypothesis import settings

# Quick, and the same on a busy machine.
settings.register_profile("quick", max_examples=50, deadline=None)
settings.load_profile("quick")
