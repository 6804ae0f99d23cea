# memcached, where Keystone's clients keep validated tokens.
port=${GLIMPSE_MEMCACHED_PORT:-24935}

install() {
    need memcached memcached
    need curl curl
}

answers() { printf 'version\r\nquit\r\n' | curl -s -m 2 "telnet://127.0.0.1:$port" | grep -q '^VERSION'; }

# It has no file of its own to be known by: the pid file, in its command line, names the folder.
start() { in_background memcached -u "$(id -un)" -l 127.0.0.1 -p "$port" -U 0 -m 64 -P "$home/pid"; }

stop() { end TERM; }

publish() { echo "URL=127.0.0.1:$port"; }
