# Barbican, in an environment of its own, with SQLite and a key on the disk. It needs Keystone, in whose catalog it is:
# "services/up keystone barbican". Who is a member of a project may keep secrets there.
port=${GLIMPSE_BARBICAN_PORT:-25311}
keystone=http://127.0.0.1:${GLIMPSE_KEYSTONE_PORT:-24934}/v3
programs=$home/environment/bin
constraints=$root/services/barbican-constraints.txt

url() { echo "http://127.0.0.1:$port"; }

install() {
    need curl curl
    cmp -s "$constraints" "$home/installed" && return
    ! is_alive || stop
    say 'installing Barbican from PyPI'
    make_environment barbican gunicorn
    cp "$constraints" "$home/installed"
}

# Without a token it names its versions.
answers() { [ "$(curl -s -m 2 -o /dev/null -w '%{http_code}' "$(url)/")" = 300 ]; }

start() {
    [ -f "$home/key" ] || head -c 32 /dev/urandom | base64 >"$home/key"
    # It looks for its configuration here.
    mkdir -p "$home/.barbican"
    configuration >"$home/.barbican/barbican.conf"
    cp "$home/environment/etc/barbican/barbican-api-paste.ini" "$home/paste.ini"
    "$programs/barbican-db-manage" --dburl "sqlite:///$home/barbican.db" upgrade >>"$home/log" 2>&1 || fail "see $home/log"
    # Barbican reads sys.argv as options of its own, but here they are gunicorn's.
    printf 'import sys\nsys.argv = sys.argv[:1]\nfrom paste.deploy import loadapp\napplication = loadapp("config:%s/paste.ini")\n' \
        "$home" >"$home/face.py"
    # By the name in its title it is known as ours.
    in_background env HOME="$home" "$programs/gunicorn" --name "$home" -w 1 --threads 4 -b "127.0.0.1:$port" --pythonpath "$home" \
        face:application
}

stop() { end TERM; }

publish() { printf 'URL=%s\n' "$(url)"; }

configuration() {
    cat <<CONFIGURATION
[DEFAULT]
host_href = $(url)
log_file = $home/barbican.log
[database]
connection = sqlite:///$home/barbican.db
[secretstore]
enabled_secretstore_plugins = store_crypto
[crypto]
enabled_crypto_plugins = simple_crypto
[simple_crypto_plugin]
kek = $(cat "$home/key")
[queue]
enable = false
[keystone_authtoken]
auth_type = password
auth_url = $keystone
www_authenticate_uri = $keystone
username = barbican
password = secret
project_name = service
user_domain_id = default
project_domain_id = default
interface = public
CONFIGURATION
}
