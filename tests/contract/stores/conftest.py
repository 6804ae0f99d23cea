import pytest

# The suite is no test module by its name, but its assertions are to be explained like those of one.
pytest.register_assert_rewrite("tests.contract.stores.suite")
