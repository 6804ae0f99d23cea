# Swift with its S3 API: four servers and their memcached, ended together (swift-run.py). One disk, one replica.
# Two more proxies lead to the same servers: one whose callers Keystone knows (which need not run before they come),
# and a bare one, of a cluster without static large objects and with short listings.
# GLIMPSE_SWIFT_PORT: the proxy's; the four ports after it are of the others, and then come those of the two proxies.
# GLIMPSE_SWIFT_MAX_FILE_SIZE: the largest object without segments, low, so that who writes larger ones must segment.
# GLIMPSE_SWIFT_DISKS: where its disk is.
# GLIMPSE_SWIFT_AUTH: the part of the proxy's pipeline that tells who is calling.
port=${GLIMPSE_SWIFT_PORT:-25080}
max_file_size=${GLIMPSE_SWIFT_MAX_FILE_SIZE:-$((16 * 1024 * 1024))}
auth=${GLIMPSE_SWIFT_AUTH:-tempauth}
disks=${GLIMPSE_SWIFT_DISKS:-$home/disks}
programs=$home/environment/bin
constraints=$root/services/swift-constraints.txt
keystone=http://127.0.0.1:${GLIMPSE_KEYSTONE_PORT:-24934}/v3
user=test:tester
key=testing

url() { echo "http://127.0.0.1:$port"; }

install() {
    need memcached memcached
    need curl curl
    cmp -s "$constraints" "$home/installed" && return
    ! is_alive || stop
    say 'installing Swift from PyPI'
    make_environment swift keystonemiddleware
    cp "$constraints" "$home/installed"
}

# The proxy says that it is well whatever the servers behind it do, so an object goes through all of them.
answers() {
    local token container
    token=$(curl -s -f -m 2 -D- -o /dev/null -H "X-Auth-User: $user" -H "X-Auth-Key: $key" "$(url)/auth/v1.0" |
        tr -d '\r' | awk 'tolower($1) == "x-auth-token:" {print $2}')
    [ -n "$token" ] || return 1
    container=$(url)/v1/AUTH_test/glimpse-probe
    ask() { curl -s -f -m 5 -o /dev/null -H "X-Auth-Token: $token" "$@"; }
    ask -X PUT "$container" && ask -X PUT -d ok "$container/probe" && ask "$container/probe" &&
        ask -X DELETE "$container/probe" && ask -X DELETE "$container"
}

start() {
    local number=0 server
    mkdir -p "$home/etc" "$home/keystone" "$home/bare" "$disks/one"
    swift_configuration >"$home/etc/swift.conf"
    proxy_configuration "$port" "$auth" 'slo dlo' >"$home/etc/proxy-server.conf"
    proxy_configuration $((port + 5)) 'authtoken keystoneauth' 'slo dlo' >"$home/keystone/proxy-server.conf"
    proxy_configuration $((port + 6)) tempauth dlo >"$home/bare/proxy-server.conf"
    for server in account container object; do
        number=$((number + 1))
        server_configuration "$server" $((port + number)) >"$home/etc/$server-server.conf"
        make_ring "$server" $((port + number)) >>"$home/log" 2>&1 || fail "no ring, see $home/log"
    done
    cp "$home/etc/swift.conf" "$home"/etc/*.ring.gz "$home/keystone"
    cp "$home/etc/swift.conf" "$home"/etc/*.ring.gz "$home/bare"
    echo 'container_listing_limit = 5' >>"$home/bare/swift.conf"
    in_background "$programs/python" "$root/services/swift-run.py" "$home/etc" $((port + 4)) "$home/keystone" "$home/bare"
}

stop() { end TERM; }

publish() {
    printf 'URL=%s\nAUTH_URL=%s\nUSER=%s\nKEY=%s\n' "$(url)" "$(url)/auth/v1.0" "$user" "$key"
    printf 'KEYSTONE_URL=%s\nBARE_AUTH_URL=%s\n' \
        "http://127.0.0.1:$((port + 5))" "http://127.0.0.1:$((port + 6))/auth/v1.0"
}

make_ring() {
    local builder=$home/etc/$1-$2.builder
    if [ ! -f "$builder" ]; then
        "$programs/swift-ring-builder" "$builder" create 4 1 0
        "$programs/swift-ring-builder" "$builder" add \
            --region 1 --zone 1 --ip 127.0.0.1 --port "$2" --device one --weight 1
        # It warns, by its exit code, that one replica is few.
        "$programs/swift-ring-builder" "$builder" rebalance || [ $? = 1 ]
    fi
    cp "$home/etc/$1-$2.ring.gz" "$home/etc/$1.ring.gz"
}

swift_configuration() {
    cat <<CONFIGURATION
[swift-hash]
swift_hash_path_prefix = test
swift_hash_path_suffix = test
[swift-constraints]
max_file_size = $max_file_size
CONFIGURATION
}

common() {
    cat <<CONFIGURATION
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $2
workers = 0
user = $(id -un)
swift_dir = $home/etc
devices = $disks
mount_check = false
fallocate_reserve = 0
disable_fallocate = true
log_name = $1
log_address = /dev/null
CONFIGURATION
}

server_configuration() {
    common "$1" "$2"
    cat <<CONFIGURATION
[pipeline:main]
pipeline = $1-server
[app:$1-server]
use = egg:swift#$1
CONFIGURATION
}

# proxy_configuration PORT AUTH LARGE_OBJECTS
proxy_configuration() {
    common proxy "$1"
    cat <<CONFIGURATION
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk tempurl $([ "$2" != tempauth ] || echo s3api) $2 copy container-quotas account-quotas $3 versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$((port + 4))
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:tempurl]
use = egg:swift#tempurl
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
storage_domain = s3.glimpse.test
[filter:tempauth]
use = egg:swift#tempauth
user_admin_admin = admin .admin .reseller_admin
user_test_tester = $key .admin
user_test_reader = reading
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = $keystone
auth_url = $keystone
auth_type = password
username = swift
password = secret
project_name = service
user_domain_id = default
project_domain_id = default
delay_auth_decision = true
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, member, service
reseller_admin_role = ResellerAdmin
[filter:copy]
use = egg:swift#copy
[filter:container-quotas]
use = egg:swift#container_quotas
[filter:account-quotas]
use = egg:swift#account_quotas
[filter:slo]
use = egg:swift#slo
# Else it is the expirer, which does not run here, that removes segments.
allow_async_delete = false
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink
CONFIGURATION
}
