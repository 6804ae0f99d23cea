# A server that speaks MongoDB's protocol and keeps its data in SQLite (nx-27017): no registry carries MongoDB itself.
# What it lacks (authentication, codes of errors, durability) is in docs/stores/gridfs.md.
port=${GLIMPSE_GRIDFS_PORT:-24987}
programs=$home/environment/bin
constraints=$root/services/gridfs-constraints.txt
program=$root/services/gridfs-server.py

install() {
    cmp -s "$constraints" "$home/installed" && return
    ! is_alive || stop
    say 'installing nx-27017 from PyPI'
    make_environment nx-27017 neosqlite pymongo
    cp "$constraints" "$home/installed"
}

answers() {
    "$programs/python" -c 'import pymongo, sys
pymongo.MongoClient(sys.argv[1], serverSelectionTimeoutMS=2000).admin.command("ping")' "$(url)" 2>/dev/null
}

start() {
    in_background "$programs/python" "$program" --db "$home/data.db" --host 127.0.0.1 -p "$port" \
        --log-file "$home/server.log" --pid-file "$home/own.pid"
}

stop() { end TERM; }

url() { echo "mongodb://127.0.0.1:$port/"; }

publish() { printf 'URL=%s\nPYTHON=%s\n' "$(url)" "$programs/python"; }
