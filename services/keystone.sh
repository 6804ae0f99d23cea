# Keystone, in an environment of its own, with SQLite and fernet tokens. Who may call it is in keystone-seed.py.
# GLIMPSE_SWIFT_PORT: swift.sh's; five ports after it is the proxy that the catalog names.
# GLIMPSE_IMAGE_PORT: where its catalog says that the image service is. Tests add regions with services of their own.
port=${GLIMPSE_KEYSTONE_PORT:-24934}
image_port=${GLIMPSE_IMAGE_PORT:-24936}
swift=http://127.0.0.1:$((${GLIMPSE_SWIFT_PORT:-25080} + 5))
volumes=http://127.0.0.1:${GLIMPSE_CINDER_PORT:-25776}/v3
keys=http://127.0.0.1:${GLIMPSE_BARBICAN_PORT:-25311}
programs=$home/environment/bin
constraints=$root/services/keystone-constraints.txt

url() { echo "http://127.0.0.1:$port/v3"; }

install() {
    need curl curl
    cmp -s "$constraints" "$home/installed" && return
    ! is_alive || stop
    say 'installing Keystone from PyPI'
    make_environment keystone gunicorn
    cp "$constraints" "$home/installed"
}

answers() { curl -s -f -m 2 -o /dev/null "$(url)"; }

start() {
    configuration >"$home/keystone.conf"
    if [ ! -f "$home/made" ]; then
        rm -rf "$home/keystone.db" "$home/seeded" "$home/keys"
        make_database >>"$home/log" 2>&1 || fail "see $home/log"
        touch "$home/made"
    fi
    # Keystone reads sys.argv as options of its own, but here they are gunicorn's.
    printf 'import sys\nsys.argv = sys.argv[:1]\nfrom keystone.wsgi.api import application\n' >"$home/face.py"
    # One request at a time: SQLite refuses a writer that has read before another one wrote, without waiting.
    OS_KEYSTONE_CONFIG_FILES=$home/keystone.conf OS_KEYSTONE_CONFIG_DIR=$home \
        in_background "$programs/gunicorn" -w 1 -b "127.0.0.1:$port" --pythonpath "$home" face:application
}

stop() { end TERM; }

# The users, roles and the catalog: once for each content of the seed.
prepare() {
    local seed=$root/services/keystone-seed.py content
    content="$(cksum <"$seed") $image_port $swift $volumes $keys"
    [ "$content" = "$(cat "$home/seeded" 2>/dev/null)" ] && return
    "$programs/python" "$seed" "$(url)" "http://127.0.0.1:$image_port" "$swift" "$volumes" "$keys" || fail 'cannot be filled'
    echo "$content" >"$home/seeded"
}

publish() { echo "URL=$(url)"; }

make_database() {
    manage db_sync
    mkdir -m 700 "$home/keys"
    manage fernet_setup --keystone-user "$(id -un)" --keystone-group "$(id -gn)"
    manage credential_setup --keystone-user "$(id -un)" --keystone-group "$(id -gn)"
    manage bootstrap --bootstrap-password secret --bootstrap-region-id RegionOne \
        --bootstrap-public-url "$(url)" --bootstrap-internal-url "$(url)" --bootstrap-admin-url "$(url)"
    "$programs/python" -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute("pragma journal_mode = wal")' \
        "$home/keystone.db"
}

manage() { "$programs/keystone-manage" --config-file "$home/keystone.conf" "$@"; }

configuration() {
    # Few rounds: a password is checked in a millisecond.
    cat <<CONFIGURATION
[DEFAULT]
public_endpoint = http://127.0.0.1:$port/
[database]
connection = sqlite:///$home/keystone.db
sqlite_synchronous = false
[identity]
password_hash_algorithm = bcrypt
password_hash_rounds = 4
[token]
provider = fernet
expiration = 86400
[fernet_tokens]
key_repository = $home/keys/fernet
[fernet_receipts]
key_repository = $home/keys/fernet
[credential]
key_repository = $home/keys/credential
[cache]
enabled = true
backend = dogpile.cache.memory
CONFIGURATION
}
