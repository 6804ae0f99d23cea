from tests.unit.transfer.conftest import store, transfer

__all__ = ["store", "transfer"]
