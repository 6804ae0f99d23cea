# PostgreSQL. It refuses to run as root, so root runs it as the package's user "postgres".
port=${GLIMPSE_POSTGRESQL_PORT:-24931}

as_server() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

# A checkout below a folder that is closed to others is out of the server's reach: then its data rests below /var/lib,
# and the file "elsewhere" says where.
find_home() {
    if [ "$(id -u)" = 0 ] && id postgres >/dev/null 2>&1 && [ -d "$home" ]; then
        if ! as_server test -x "$home"; then
            [ -d "$(cat "$home/elsewhere" 2>/dev/null)" ] ||
                mktemp -d /var/lib/glimpse-postgresql.XXXXXX >"$home/elsewhere"
            home=$(cat "$home/elsewhere")
        fi
        chown postgres: "$home"
    fi
    pid_file=$home/data/postmaster.pid
}
pid_file=$home/data/postmaster.pid

# Debian keeps the server's programs out of the PATH.
find_programs() {
    local folder
    for folder in /usr/lib/postgresql/*/bin; do PATH=$folder:$PATH; done
}

install() {
    find_programs
    need pg_ctl postgresql
    find_programs
    find_home
}

query() { psql -X -q -A -t -h 127.0.0.1 -p "$port" -U postgres "$@"; }
answers() { [ "$(query -c 'select 1' postgres 2>/dev/null)" = 1 ]; }

start() {
    cd "$home"
    [ -f data/PG_VERSION ] ||
        as_server initdb -D "$home/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null
    as_server pg_ctl -D "$home/data" -l "$home/log" -s -w -t 60 start 9>&- -o "-p $port \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c max_connections=300" ||
        fail "does not start, see $home/log"
}

stop() {
    find_home
    end INT # a "fast" shutdown: does not wait for clients
}

prepare() {
    query -c "do 'begin if to_regrole(''glimpse'') is null then
        create role glimpse login createdb password ''glimpse''; end if; end'" postgres
    [ "$(query -c "select 1 from pg_database where datname = 'glimpse_test'" postgres)" = 1 ] ||
        query -c 'create database glimpse_test owner glimpse' postgres
}

publish() { echo "URL=postgresql+psycopg://glimpse:glimpse@127.0.0.1:$port/glimpse_test"; }
