from tests.api.conftest import *  # noqa: F403 - the same people in the same worlds
