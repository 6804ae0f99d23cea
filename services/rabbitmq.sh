# RabbitMQ, with an epmd of its own, so that it meets no other node. It uses three ports from this one on.
port=${GLIMPSE_RABBITMQ_PORT:-25672}
program=/usr/lib/rabbitmq/bin/rabbitmq-server

install() { [ -x $program ] || need $program rabbitmq-server; }

# An AMQP server that is greeted by the wrong protocol answers with the right one.
answers() {
    [ "$(timeout 2 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port && printf HELLO000 >&3 && head -c 4 <&3" 2>/dev/null)" = AMQP ]
}

# Erlang writes its own pid into the pid file, in place of that of the script which starts it.
start() {
    mkdir -p "$home/data" "$home/logs"
    echo '[].' >"$home/plugins"
    printf 'disk_free_limit.absolute = 50MB\nvm_memory_high_watermark.relative = 0.2\n' >"$home/rabbitmq.conf"
    in_background env HOME="$home" RABBITMQ_NODENAME=glimpse@localhost RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 \
        RABBITMQ_NODE_PORT="$port" RABBITMQ_DIST_PORT=$((port + 1)) ERL_EPMD_PORT=$((port + 2)) \
        ERL_EPMD_ADDRESS=127.0.0.1 RABBITMQ_MNESIA_BASE="$home/data" RABBITMQ_LOG_BASE="$home/logs" \
        RABBITMQ_PID_FILE="$home/pid" RABBITMQ_CONFIG_FILE="$home/rabbitmq" RABBITMQ_CONF_ENV_FILE="$home/none" \
        RABBITMQ_ENABLED_PLUGINS_FILE="$home/plugins" ERL_CRASH_DUMP="$home/crash" \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1} +S 2:2' $program
}

stop() {
    end TERM
    # It lets itself be ended when it has noticed that the node has gone.
    for _ in $(seq 20); do
        ! ERL_EPMD_PORT=$((port + 2)) epmd -kill >/dev/null 2>&1 || break
        sleep 0.1
    done
}

publish() { echo "URL=rabbit://guest:guest@127.0.0.1:$port/"; }
