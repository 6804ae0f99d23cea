# MariaDB. The database has the three-byte character set that Glance's has.
# GLIMPSE_MARIADB_OPTIONS: more options for the server, separated by blanks.
port=${GLIMPSE_MARIADB_PORT:-24932}

install() { need mariadbd mariadb-server; }

query() { mariadb --no-defaults --protocol=tcp -h 127.0.0.1 -P "$port" -u root -N -e "$1"; }
answers() { [ "$(query 'select 1' 2>/dev/null)" = 1 ]; }

start() {
    # mariadb-install-db stumbles over blanks in a path, and the path of a socket is limited to some hundred bytes:
    # both are relative ones (the socket's to the data folder).
    cd "$home"
    [ -d data/mysql ] ||
        mariadb-install-db --no-defaults --user="$(id -un)" --datadir=./data \
            --auth-root-authentication-method=normal --skip-test-db >>"$home/log" 2>&1 || fail "see $home/log"
    # shellcheck disable=SC2086
    in_background mariadbd --no-defaults --user="$(id -un)" --datadir="$home/data" --socket=socket \
        --bind-address=127.0.0.1 --port="$port" --character-set-server=utf8mb3 --max-connections=300 \
        --innodb-flush-log-at-trx-commit=0 --skip-log-bin ${GLIMPSE_MARIADB_OPTIONS:-}
}

stop() { end TERM; }

prepare() {
    query "create database if not exists glimpse_test character set utf8mb3;
        create user if not exists glimpse@'%' identified by 'glimpse';
        create user if not exists glimpse@localhost identified by 'glimpse';
        grant all on *.* to glimpse@'%'; grant all on *.* to glimpse@localhost;"
}

publish() { echo "URL=mysql+pymysql://glimpse:glimpse@127.0.0.1:$port/glimpse_test"; }
