# nginx as a plain web server for images, with paths that misbehave on purpose. What it serves rests in the folder
# that is published as ROOT (another one: GLIMPSE_NGINX_ROOT).
port=${GLIMPSE_NGINX_PORT:-24933}
www=${GLIMPSE_NGINX_ROOT:-$home/www}

install() {
    need nginx nginx-light
    need curl curl
}

answers() { curl -s -f -m 2 -o /dev/null "http://127.0.0.1:$port/healthz"; }

start() {
    mkdir -p "$www" "$home/tmp"
    configuration >"$home/nginx.conf"
    in_background nginx -c "$home/nginx.conf" -e "$home/log"
}

stop() { end TERM; }

publish() { printf 'URL=%s\nROOT=%s\n' "http://127.0.0.1:$port" "$www"; }

configuration() {
    [ "$(id -u)" != 0 ] || echo 'user root;'
    cat <<CONFIGURATION
daemon off;
worker_processes 1;
pid "$home/nginx.pid";
error_log "$home/log";
events { worker_connections 1024; }
http {
    access_log off;
    sendfile on;
    client_body_temp_path "$home/tmp/body";
    proxy_temp_path "$home/tmp/proxy";
    fastcgi_temp_path "$home/tmp/fastcgi";
    uwsgi_temp_path "$home/tmp/uwsgi";
    scgi_temp_path "$home/tmp/scgi";
    server {
        listen 127.0.0.1:$port;
        root "$www";
        location = /healthz { return 200 "ok\n"; }
        # Without Content-Length, when the client accepts gzip.
        location /nolength/ { alias "$www/"; gzip on; gzip_types *; gzip_min_length 1; gzip_comp_level 1; }
        location /redirect/ { rewrite ^/redirect/(.*)$ /\$1 redirect; }
        location /secret/ { return 401; }
        location /broken/ { return 500; }
        location /slow/ { alias "$www/"; limit_rate 256k; }
    }
}
CONFIGURATION
}
