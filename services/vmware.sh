# A vCenter of the community's simulator library, with a main of our own around it (vmware.go). Over TLS, by an
# authority of its own.
port=${GLIMPSE_VMWARE_PORT:-24937}
user=administrator
password=secret

install() {
    need curl curl
    need openssl openssl
    need go golang-go
    if [ ! -d /usr/share/gocode/src/github.com/vmware/govmomi ]; then need govmomi golang-github-vmware-govmomi-dev; fi
    make_certificates
    cmp -s "$root/services/vmware.go" "$home/vmware.go" && return
    ! is_alive || stop
    say 'compiling the simulator'
    cp "$root/services/vmware.go" "$home/simulator.go"
    GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$home/cache CGO_ENABLED=0 \
        go build -o "$home/simulator" "$home/simulator.go" >>"$home/log" 2>&1 || fail "go build failed, see $home/log"
    mv "$home/simulator.go" "$home/vmware.go"
}

answers() { curl -s -f -m 2 -o /dev/null --cacert "$home/ca.crt" "https://127.0.0.1:$port/about"; }

# The library makes temporary folders of its own, of which it uses none here.
start() {
    rm -rf "$home/datastores" "$home/temporary"
    mkdir "$home/datastores" "$home/temporary"
    TMPDIR=$home/temporary in_background "$home/simulator" -listen "127.0.0.1:$port" -folder "$home/datastores" \
        -certificate "$home/server.pem" -user "$user" -password "$password"
}

stop() { end TERM; }

publish() {
    printf '%s\n' "HOST=127.0.0.1:$port" "USER=$user" "PASSWORD=$password" "CA_FILE=$home/ca.crt" \
        "FOLDER=$home/datastores" "PROGRAM=$home/simulator" "CERTIFICATE=$home/server.pem"
}

make_certificates() {
    [ -f "$home/server.pem" ] && return
    {
        openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=Simulated vCenter CA' \
            -keyout "$home/ca.key" -out "$home/ca.crt" -addext basicConstraints=critical,CA:TRUE &&
            openssl req -newkey rsa:2048 -nodes -subj '/CN=localhost' -keyout "$home/server.key" -out "$home/server.csr" &&
            printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >"$home/extensions" &&
            openssl x509 -req -in "$home/server.csr" -CA "$home/ca.crt" -CAkey "$home/ca.key" -CAcreateserial -days 3650 \
                -extfile "$home/extensions" -out "$home/server.crt"
    } >>"$home/log" 2>&1 || fail "openssl failed, see $home/log"
    cat "$home/server.crt" "$home/server.key" >"$home/server.pem"
}
