"""Files in two folders of this machine."""

import atexit
import shutil
import tempfile


def options() -> str:
    """The lines of the store's section."""
    folder = tempfile.mkdtemp(prefix="glimpse-files-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return f"filesystem_store_datadirs = {folder}/one:1\nfilesystem_store_datadirs = {folder}/two\n"
