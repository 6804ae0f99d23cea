"""Runs Swift's servers and their memcached, each in a process of its own; they end with this one, however it ends.

swift-run.py FOLDER MEMCACHED_PORT [PROXY_FOLDER ...]

Each further folder is of a proxy more, to the same servers.
"""

import ctypes
import getpass
import os
import signal
import sys
from importlib import import_module

SERVERS = {"account": "account", "container": "container", "object": "obj", "proxy": "proxy"}
END_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def spawn(run, *arguments):
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(END_WITH_PARENT, signal.SIGKILL)
        run(*arguments)
        os._exit(1)


def serve(folder, server):
    # The constraints are read from this folder's swift.conf only if it is named before they are imported.
    from swift.common import utils

    utils.set_swift_dir(folder)
    sys.argv = [f"swift-{server}-server", f"{folder}/{server}-server.conf", "-v"]
    import_module(f"swift.{SERVERS[server]}.server").main()


def main():
    folder, memcached_port, *proxies = sys.argv[1:]
    options = ["-u", getpass.getuser(), "-l", "127.0.0.1", "-p", memcached_port, "-U", "0", "-m", "16"]
    spawn(os.execvp, "memcached", ["memcached", *options])
    for server in SERVERS:
        spawn(serve, folder, server)
    for proxy in proxies:
        spawn(serve, proxy, "proxy")
    # Without one of them the others are of no use.
    os.wait()


main()
