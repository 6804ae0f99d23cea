# Shared by services/up and services/down. Every server file next to it (postgresql.sh, ...) defines four functions:
#   install   makes sure that the programs are there
#   answers   sends one real request; fails when the server does not answer
#   start     starts the server in the background and leaves its pid in pid_file
#   stop      ends the process of pid_file
# and may define "prepare" (after the first answer) and "publish" (which lines go into the env file).

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
state=${GLIMPSE_SERVICES_DIR:-$root/.services}
env_file=$state/env
unset PYTHONDONTWRITEBYTECODE # what the servers compile is kept for their next start

# All that there are, by name.
servers() { grep -l '^answers()' "$root"/services/*.sh | sed 's|.*/||; s|\.sh$||'; }

say() { printf '%s: %s\n' "$name" "$*" >&2; }
fail() { say "$*"; exit 1; }

# Where the files of the server rest, and who runs it. A server file may change both.
enter() {
    name=$1
    [ -f "$root/services/$name.sh" ] || fail 'there is no such server'
    home=$state/$name
    pid_file=$home/pid
    prepare() { :; }
    publish() { :; }
    . "$root/services/$name.sh"
}

# need PROGRAM PACKAGE: installs the package when the program is missing.
need() {
    command -v "$1" >/dev/null && return
    [ "$(id -u)" = 0 ] || fail "$1 is missing; install the package $2"
    exec 8>"$state/apt.lock"
    flock 8
    if [ ! -f "$state/apt-updated" ]; then
        apt-get -q -o DPkg::Lock::Timeout=600 update >>"$state/apt.log" 2>&1 || fail "apt-get update failed, see $state/apt.log"
        touch "$state/apt-updated"
    fi
    say "installing $2"
    # In run level 1 the package does not start a server of its own.
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 \
        install --no-install-recommends "$2" >>"$state/apt.log" 2>&1 || fail "apt-get install $2 failed, see $state/apt.log"
    exec 8>&-
}

# make_environment PACKAGE...: a new environment of Python in the server's folder, at the versions of its constraints.
make_environment() {
    rm -rf "$home/environment"
    "$root/services/environment" "$home/environment" "$constraints" "$@" >>"$home/log" 2>&1 ||
        fail "$* cannot be installed, see $home/log"
}

# in_background PROGRAM ARGUMENT...: survives the shell that started it. Descriptor 9 is the lock of services/up.
in_background() {
    setsid nohup "$@" >>"$home/log" 2>&1 </dev/null 9>&- &
    echo $! >"$pid_file"
}

# The pid may have gone to another program since it was written down: ours has the name of its folder in its command line.
is_alive() {
    [ -f "$pid_file" ] || return 1
    pid=$(head -n 1 "$pid_file")
    [ -n "$pid" ] && tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$home"
}

wait_until_it_answers() {
    for _ in $(seq 300); do
        answers && return
        kill -0 "$(head -n 1 "$pid_file")" 2>/dev/null || break
        sleep 0.2
    done
    tail -n 20 "$home/log" >&2 || :
    fail "does not answer, see $home/log"
}

# end SIGNAL: sends it to the process and waits; kills it after 20 seconds.
end() {
    is_alive || { rm -f "$pid_file"; return 0; }
    kill -s "$1" "$pid"
    for _ in $(seq 200); do
        is_alive || break
        sleep 0.1
    done
    if is_alive; then kill -s KILL "$pid"; fi
    rm -f "$pid_file"
}

# forget PREFIX: takes the lines of a server out of the env file.
forget() {
    [ -f "$env_file" ] || return 0
    grep -v "^$1" "$env_file" >"$env_file.new" || :
    mv "$env_file.new" "$env_file"
}

prefix() { echo "GLIMPSE_TEST_$(echo "$name" | tr '[:lower:]' '[:upper:]')_"; }

fetch() (
    enter "$1"
    mkdir -p "$home"
    install
)

bring_up() (
    enter "$1"
    mkdir -p "$home"
    install
    if ! { is_alive && answers; }; then
        ! is_alive || stop
        start
        wait_until_it_answers
    fi
    prepare
    forget "$(prefix)"
    publish | sed "s|^|$(prefix)|" >>"$env_file"
    say 'ready'
)

bring_down() (
    enter "$1"
    stop
    forget "$(prefix)"
    say 'ended'
)
