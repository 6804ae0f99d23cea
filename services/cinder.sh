# Cinder: its API, scheduler and volume service, in an environment of their own. It needs MariaDB, RabbitMQ, Keystone,
# memcached and Ceph, which "services/up mariadb keystone memcached rabbitmq ceph cinder" starts before it.
# Two kinds of volumes: Ceph images, and files on NFS. Where the kernel has no NFS client, a bind mount stands in for
# the protocol.
port=${GLIMPSE_CINDER_PORT:-25776}
keystone=http://127.0.0.1:${GLIMPSE_KEYSTONE_PORT:-24934}/v3
ceph=${GLIMPSE_CEPH_FOLDER:-$state/ceph}
ceph_key=${GLIMPSE_CEPH_KEY:-$ceph/data/client.cinder.keyring}
programs=$home/environment/bin
constraints=$root/services/cinder-constraints.txt
pid_file=$home/api.pid

url() { echo "http://127.0.0.1:$port/v3"; }

install() {
    need curl curl
    need qemu-img qemu-utils
    need mariadb mariadb-client
    cmp -s "$constraints" "$home/installed" && return
    ! is_alive || stop
    say 'installing Cinder from PyPI'
    make_environment cinder pymysql python-memcached
    # The bindings of Ceph are not on PyPI. Debian's work in every CPython of the same version.
    ln -sf /usr/lib/python3/dist-packages/{rbd,rados}.cpython-311-*.so "$home"/environment/lib/python3.11/site-packages/
    cp "$constraints" "$home/installed"
}

# Every service has reported that it is up, and Ceph is the cluster that Cinder was made for: each start of Ceph makes a
# new one.
answers() {
    cmp -s "$ceph/ceph.conf" "$home/ceph.conf" && "$programs/python" "$root/services/cinder-seed.py" "$keystone" "$(url)" --wait 2>/dev/null
}

start() {
    [ -f "$ceph/ceph.conf" ] || fail 'Ceph is not running; start it with: services/up ceph'
    mkdir -p "$home"/{bin,state/tmp,export,mounts} /etc/ceph
    configuration >"$home/cinder.conf"
    # os-brick looks for the key of Ceph's user here.
    command install -m 600 "$ceph_key" /etc/ceph/ceph.client.cinder.keyring
    stand_in_for_nfs
    echo "127.0.0.1:$home/export" >"$home/shares"
    cp "$home"/environment/etc/cinder/{api-paste.ini,resource_filters.json,rootwrap.conf} "$home/"
    sed -i "s#^filters_path=.*#filters_path=$home/environment/etc/cinder/rootwrap.d#
        s#^exec_dirs=.*#exec_dirs=$home/bin,$programs,/sbin,/usr/sbin,/bin,/usr/bin#" "$home/rootwrap.conf"
    # Who starts the services is root already. With each attachment Cinder asks for Ceph's monitors, which takes the
    # program "ceph" a second, and never changes.
    printf '#!/bin/sh\nexec "$@"\n' >"$home/bin/sudo"
    timeout 60 ceph --conf "$ceph/ceph.conf" --id cinder mon dump --format=json >"$home/monitors" 2>>"$home/log" ||
        fail "Ceph does not answer, see $home/log"
    printf '#!/bin/sh\nexec cat %s\n' "'$home/monitors'" >"$home/bin/ceph"
    chmod +x "$home"/bin/{sudo,ceph}
    if ! cmp -s "$ceph/ceph.conf" "$home/ceph.conf"; then
        query 'drop database if exists cinder'
        rm -f "$home"/export/volume-*
    fi
    query 'create database if not exists cinder character set utf8mb3'
    "$programs/cinder-manage" --config-file "$home/cinder.conf" db sync >>"$home/log" 2>&1 || fail "see $home/log"
    cp "$ceph/ceph.conf" "$home/ceph.conf"
    local part
    for part in volume scheduler api; do
        pid_file=$home/$part.pid
        in_background env PATH="$home/bin:$programs:$PATH" "$programs/cinder-$part" --config-file "$home/cinder.conf"
    done
}

stop() {
    local part
    for part in api scheduler volume; do
        pid_file=$home/$part.pid
        end TERM
    done
    pid_file=$home/api.pid
    awk -v home="$home/mounts/" 'index($2, home) == 1 {print $2}' /proc/mounts | while read -r folder; do umount "$folder"; done
}

# The types of volumes, the quota of a project that has little room, and Cinder's place in the catalog.
prepare() { "$programs/python" "$root/services/cinder-seed.py" "$keystone" "$(url)" || fail 'cannot be filled'; }

publish() { printf 'URL=%s\nAUTH_URL=%s\nCEPH_CONF=%s\nHOME=%s\n' "$(url)" "$keystone" "$ceph/ceph.conf" "$home"; }

query() { mariadb --no-defaults --protocol=tcp -h 127.0.0.1 -P "${GLIMPSE_MARIADB_PORT:-24932}" -u root -e "$1"; }

stand_in_for_nfs() {
    [ ! -e /sbin/mount.nfs ] || return 0
    printf '#!/bin/sh\n# A bind mount instead of NFS, for tests.\n[ $# -ge 2 ] || exit 1\nexec mount --bind "${1#*:}" "$2"\n' \
        >/sbin/mount.nfs
    chmod +x /sbin/mount.nfs
}

configuration() {
    cat <<CONFIGURATION
[DEFAULT]
auth_strategy = keystone
my_ip = 127.0.0.1
host = glimpse
osapi_volume_listen = 127.0.0.1
osapi_volume_listen_port = $port
osapi_volume_workers = 1
transport_url = rabbit://guest:guest@127.0.0.1:${GLIMPSE_RABBITMQ_PORT:-25672}/
state_path = $home/state
rootwrap_config = $home/rootwrap.conf
api_paste_config = $home/api-paste.ini
resource_query_filters_file = $home/resource_filters.json
enabled_backends = rbd,nfs
default_volume_type = __DEFAULT__
service_down_time = 60
report_interval = 5
image_conversion_dir = $home/state/tmp
quota_volumes = -1
quota_gigabytes = 1000
[oslo_concurrency]
lock_path = $home/state/locks
[database]
connection = mysql+pymysql://glimpse:glimpse@127.0.0.1:${GLIMPSE_MARIADB_PORT:-24932}/cinder?charset=utf8
[keystone_authtoken]
auth_type = password
auth_url = $keystone
www_authenticate_uri = $keystone
username = cinder
password = secret
project_name = service
user_domain_id = default
project_domain_id = default
service_token_roles = service
service_token_roles_required = true
memcached_servers = 127.0.0.1:${GLIMPSE_MEMCACHED_PORT:-24935}
[cinder_sys_admin]
helper_command = $programs/privsep-helper --config-file $home/cinder.conf
[privsep_osbrick]
helper_command = $programs/privsep-helper --config-file $home/cinder.conf
[rbd]
volume_driver = cinder.volume.drivers.rbd.RBDDriver
volume_backend_name = rbd
rbd_pool = volumes
rbd_user = cinder
rbd_ceph_conf = $ceph/ceph.conf
rbd_exclusive_cinder_pool = true
rados_connect_timeout = 10
[nfs]
volume_driver = cinder.volume.drivers.nfs.NfsDriver
volume_backend_name = nfs
nfs_shares_config = $home/shares
nfs_mount_point_base = $home/mounts
nas_secure_file_operations = false
nas_secure_file_permissions = false
nfs_sparsed_volumes = true
CONFIGURATION
}
