# Ceph on one host: a mon, an OSD that keeps its data in memory, a mgr (which knows how full the pools are) and a
# radosgw (which speaks S3). Each start makes a new cluster. The user glance writes the pool images; cinder writes
# the pool volumes and reads and clones what is in images.
port=${GLIMPSE_CEPH_PORT:-24940} # the mon's; the next one is for its old protocol, and then comes radosgw
daemons='mon osd mgr rgw'
configuration=$home/ceph.conf
export CEPH_ARGS="--conf $home/ceph.conf"

gateway() { echo "http://127.0.0.1:$((port + 2))"; }

install() {
    need curl curl
    need ceph-mon ceph-mon
    need ceph-osd ceph-osd
    need ceph-mgr ceph-mgr
    need radosgw radosgw
    need rbd ceph-common # with the bindings python3-rados and python3-rbd
}

answers() {
    every_daemon is_alive &&
        timeout 10 rados --pool images ls >/dev/null 2>&1 &&
        timeout 10 ceph osd pool stats images >/dev/null 2>&1 &&
        curl -s -f -m 5 -o /dev/null "$(gateway)"
}

start() {
    stop
    rm -rf "$home/data"
    mkdir -p "$home"/data/{mon,osd,mgr,rgw,run,log}
    write_configuration >"$configuration"
    start_mon
    start_mgr
    start_osd
    make_pools
    start_gateway
}

# Nothing is kept, so nothing needs to be put away; TERM would take half a minute.
stop() { every_daemon end KILL; }

# The developer's environment, if it is there already.
prepare() { [ ! -x "$root/.venv/bin/python" ] || "$root/services/ceph-bindings" "$root/.venv/bin/python"; }

publish() {
    cat <<LINES
CONF=$configuration
POOL=images
USER=glance
KEYRING=$home/data/client.glance.keyring
RGW_URL=$(gateway)
RGW_ACCESS_KEY=glimpse
RGW_SECRET_KEY=secret
LINES
}

# every_daemon COMMAND...: with pid_file as that daemon's; fails if one fails. The mon's pid is the server's.
every_daemon() {
    local daemon first=$pid_file outcome=0
    for daemon in $daemons; do
        of_daemon "$daemon"
        "$@" || outcome=1
    done
    pid_file=$first
    return $outcome
}

of_daemon() { [ "$1" = mon ] && pid_file=$home/pid || pid_file=$home/$1.pid; }

# launch DAEMON PROGRAM ARGUMENT...: in the foreground of its own session, logging to the server's log.
launch() {
    local first=$pid_file
    of_daemon "$1"
    shift
    in_background "$@" --conf "$configuration"
    pid_file=$first
}

# await COMMAND...: until it succeeds, for a minute at most.
await() {
    for _ in $(seq 300); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.2
    done
    tail -n 20 "$home/log" >&2
    fail "waited in vain: $*"
}

quietly() { timeout 60 "$@" >>"$home/log" 2>&1 || fail "$* failed, see $home/log"; }

new_key() { quietly ceph-authtool --create-keyring "$@"; }

# grant NAME KEYRING CAPABILITY...: makes the user.
grant() { quietly ceph auth get-or-create "$1" -o "$2" "${@:3}"; }

start_mon() {
    local data=$home/data fsid
    fsid=$(sed -n 's/^fsid = //p' "$configuration")
    new_key "$data/client.admin.keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
    new_key "$data/mon.keyring" --gen-key -n mon. --cap mon 'allow *'
    quietly ceph-authtool "$data/mon.keyring" --import-keyring "$data/client.admin.keyring"
    quietly monmaptool --create --addv a "[v2:127.0.0.1:$port,v1:127.0.0.1:$((port + 1))]" --fsid "$fsid" "$data/monmap"
    quietly ceph-mon --mkfs -i a --monmap "$data/monmap" --keyring "$data/mon.keyring"
    launch mon ceph-mon -f -i a
    await timeout 10 ceph --connect-timeout 5 mon stat
}

start_mgr() {
    grant mgr.x "$home/data/mgr.x.keyring" mon 'allow profile mgr' osd 'allow *' mds 'allow *'
    launch mgr ceph-mgr -f -i x
}

start_osd() {
    local data=$home/data id
    id=$(cat /proc/sys/kernel/random/uuid)
    quietly ceph osd new "$id"
    grant osd.0 "$data/osd.0.keyring" osd 'allow *' mon 'allow profile osd' mgr 'allow profile osd'
    quietly ceph-osd -i 0 --mkfs --osd-uuid "$id"
    launch osd ceph-osd -f -i 0
    await osd_is_up
}

osd_is_up() { timeout 10 ceph osd stat | grep -q '1 up'; }

make_pools() {
    local pool
    for pool in images volumes; do
        quietly ceph osd pool create "$pool" 8 8 replicated
        quietly rbd pool init "$pool"
    done
    grant client.glance "$home/data/client.glance.keyring" mon 'profile rbd' mgr 'profile rbd pool=images' \
        osd 'profile rbd pool=images'
    grant client.cinder "$home/data/client.cinder.keyring" mon 'profile rbd' mgr 'profile rbd pool=volumes' \
        osd 'profile rbd pool=volumes, profile rbd-read-only pool=images'
}

start_gateway() {
    grant client.rgw "$home/data/client.rgw.keyring" mon 'allow rw' mgr 'allow rw' osd 'allow rwx'
    launch rgw radosgw -f -n client.rgw
    await curl -s -f -m 5 "$(gateway)"
    quietly radosgw-admin user create --uid glimpse --display-name glimpse --access-key glimpse --secret-key secret
}

# Small intervals, so that the cluster starts in seconds, knows within a second how full it is, and gives back soon
# what was deleted.
write_configuration() {
    cat <<CONFIGURATION
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon initial members = a
mon host = [v2:127.0.0.1:$port,v1:127.0.0.1:$((port + 1))]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
ms bind msgr1 = true
ms bind port min = 25100
ms bind port max = 25199
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
keyring = $home/data/\$name.keyring
run dir = $home/data/run
admin socket = $home/data/run/\$name.\$pid.asok
log file = $home/data/log/\$name.log
mon cluster log file = $home/data/log/cluster.log
log to stderr = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon allow pool delete = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
mon data avail crit = 1
mon data avail warn = 2
mon tick interval = 1
mgr tick period = 1
mgr stats period = 1
paxos propose interval = 0.05
paxos min wait = 0.01
[mon]
mon data = $home/data/mon
keyring = $home/data/mon.keyring
[osd]
osd objectstore = memstore
osd data = $home/data/osd
memstore device bytes = 4294967296
osd op num shards = 2
[mgr]
mgr data = $home/data/mgr
[client]
admin socket =
log file =
[client.rgw]
rgw data = $home/data/rgw
rgw frontends = beast endpoint=127.0.0.1:$((port + 2))
rgw thread pool size = 32
rgw enable ops log = false
rgw gc obj min wait = 1
rgw gc processor period = 5
rgw gc processor max time = 5
CONFIGURATION
}
