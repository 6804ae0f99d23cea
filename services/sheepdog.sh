# A stand-in for Sheepdog's daemon (sheepdog-standin.py), since nobody packages Sheepdog any more.
port=${GLIMPSE_SHEEPDOG_PORT:-24977}
program=$root/services/sheepdog-standin.py

install() { need python3 python3; }

# Asks for a disk that is not there: protocol 2, operation 0x14 with 512 bytes, result 8.
answers() {
    python3 - "$port" 2>/dev/null <<'PYTHON'
import socket, struct, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 2) as connection:
    connection.sendall(struct.pack("<BBHIII32s", 2, 0x14, 1, 0, 0, 512, b"") + b"none".ljust(512, b"\0"))
    sys.exit(struct.unpack_from("<I", connection.recv(48, socket.MSG_WAITALL), 16) != (8,))
PYTHON
}

# It has no file of its own to be known by: the last argument, which it ignores, names the folder.
start() { in_background python3 "$program" "$port" "$((1 << 40))" "$home"; }

stop() { end TERM; }

publish() { printf 'ADDRESS=127.0.0.1\nPORT=%s\n' "$port"; }
