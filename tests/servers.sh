#!/usr/bin/env bash
# Throwaway database servers for tests: a PostgreSQL primary with a streaming standby and a transaction pooler, and a MariaDB.
#
#   tests/servers.sh                 starts them, prints NAME=VALUE lines and `ready`, stops them when stdin ends
#   tests/servers.sh COMMAND [ARG].. starts them, runs COMMAND with those variables, stops them; exits as it does
#
# They live in one temporary directory, which goes with them, whatever happens. As root they run as the servers' own users.
# What is missing is installed from Debian's packages where that is allowed (MySQL itself is not among them: MariaDB stands for it); else `skipped: WHY` is printed, and the exit code is 0.
#
#   PG_PRIMARY, PG_STANDBY, PG_POOLER, MARIADB   URLs of the owner of database `app`, over TCP, password PASSWORD
#   PG_ADMIN, PG_STANDBY_ADMIN, MARIADB_ADMIN    URLs of the superusers, over TCP
#   PG_SOCKET_DIR, PG_PORT, MARIADB_SOCKET       for psql and mariadb; PG_BIN: PostgreSQL's own programs
#   PG_STANDBY_DATA                              the standby's folder, for pg_ctl
#   PGTAP                                        yes where PostgreSQL has the extension pgtap
#   SERVERS_CA                                   the certificate of the authority that signed the servers' certificate
set -euo pipefail

readonly PASSWORD=canary-password-7f3a9c
packages=(postgresql mariadb-server pgbouncer openssl)

postgres_bin() { find /usr/lib/postgresql -path '*/bin/postgres' 2>/dev/null | sort -V | tail -1 | xargs -r dirname; }
is_complete() {
  [[ -n $(postgres_bin) ]] && PATH=$PATH:/usr/sbin command -v mariadbd mariadb-install-db pgbouncer openssl >/dev/null &&
    [[ $(PATH=$PATH:/usr/sbin command -v mariadbd mariadb-install-db pgbouncer openssl | wc -l) == 4 ]]
}
skip() { echo "skipped: $1"; exit 0; }
sudo=()
if [[ $(id -u) != 0 ]]; then sudo=(sudo -n); fi
# Run level 1: packages start no service.
install=("${sudo[@]}" env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
if ! is_complete; then
  command -v apt-get >/dev/null || skip "PostgreSQL, MariaDB and pgbouncer are not all installed, and there is no apt-get"
  "${sudo[@]}" true 2>/dev/null || skip "install these packages to test on real servers: ${packages[*]}"
  { "${install[@]}" update && "${install[@]}" install --no-install-recommends "${packages[@]}"; } >&2 </dev/null ||
    skip "these packages could not be installed: ${packages[*]}"
fi
PATH=$PATH:/usr/sbin
PG_BIN=$(postgres_bin)
# The extension goes by the server's major version.
pgtap=$("$PG_BIN/pg_config" --sharedir 2>/dev/null || echo "/usr/share/postgresql/$(basename "$(dirname "$PG_BIN")")")/extension/pgtap.control
if [[ ! -f $pgtap ]] && command -v apt-get >/dev/null && "${sudo[@]}" true 2>/dev/null; then
  "${install[@]}" install --no-install-recommends "postgresql-$(basename "$(dirname "$PG_BIN")")-pgtap" >&2 </dev/null || true
fi

dir=$(mktemp -d "${TMPDIR:-/tmp}/servers.XXXXXX")
chmod 755 "$dir"
# as USER COMMAND..: as that user where we are root, which no server runs as.
as() { local user=$1; shift; if [[ $(id -u) == 0 ]]; then runuser -u "$user" -- "$@"; else "$@"; fi; }
private() { mkdir -p "$2"; chmod 700 "$2"; if [[ $(id -u) == 0 ]]; then chown -R "$1" "$2"; fi; }
stop() {
  trap - EXIT INT TERM HUP
  # A half-started server has no process id to be ended by.
  if [[ -n ${mariadb_started:-} ]]; then wait "$mariadb_started"; fi 2>/dev/null
  for name in standby primary; do
    [[ -f $dir/pg/$name/postmaster.pid ]] && as postgres "$PG_BIN/pg_ctl" -D "$dir/pg/$name" -m immediate stop >/dev/null 2>&1
  done
  for file in "$dir"/pg/pgbouncer.pid "$dir"/maria/mariadb.pid; do
    [[ -f $file ]] && kill -KILL "$(cat "$file")" 2>/dev/null
  done
  rm -rf "$dir"
}
trap 'set +e; stop' EXIT
trap 'exit 130' INT TERM HUP
failed() { echo "tests/servers.sh: $1" >&2; tail -n 20 "$dir"/*.log >&2 || true; exit 1; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' 2>/dev/null ||
  perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport'; }

primary=$(free_port) standby=$(free_port) pooler=$(free_port) maria=$(free_port)
private postgres "$dir/pg"
private mysql "$dir/maria"
chmod 755 "$dir/pg" "$dir/maria"
# A certificate authority of its own: strict clients take no authority's certificate for a server's.
make_certificates() {
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=tests -keyout "$dir/ca-key.pem" -out "$dir/ca.pem" &&
    openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout "$dir/key.pem" -out "$dir/request.pem" &&
    openssl x509 -req -in "$dir/request.pem" -CA "$dir/ca.pem" -CAkey "$dir/ca-key.pem" -CAcreateserial -days 2 -out "$dir/cert.pem" \
      -extfile <(echo "subjectAltName = DNS:localhost, IP:127.0.0.1")
}
make_certificates >"$dir/openssl.log" 2>&1 || failed "openssl made no certificates"
for user in postgres:pg mysql:maria; do
  cp "$dir/key.pem" "$dir/${user#*:}/key.pem"
  cp "$dir/cert.pem" "$dir/${user#*:}/cert.pem"
  if [[ $(id -u) == 0 ]]; then chown "${user%:*}" "$dir/${user#*:}"/*.pem; fi
  chmod 600 "$dir/${user#*:}/key.pem"
done

start_postgres() {
  # Nothing here outlives the test, so nothing waits for the disk.
  local pg=$dir/pg
  echo "$PASSWORD" >"$pg/password"
  chmod 644 "$pg/password"
  as postgres "$PG_BIN/initdb" -D "$pg/primary" -U admin --auth=scram-sha-256 --pwfile="$pg/password" --no-sync \
    --encoding=UTF8 --locale=C.UTF-8 >"$dir/initdb.log" 2>&1 || return 1
  cat >"$dir/extra.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$pg'
fsync = off
synchronous_commit = off
full_page_writes = off
max_wal_size = 4GB
autovacuum = off
ssl = on
ssl_cert_file = '$pg/cert.pem'
ssl_key_file = '$pg/key.pem'
hot_standby = on
max_standby_streaming_delay = 100ms
max_standby_archive_delay = 100ms
wal_receiver_status_interval = 100ms
shared_preload_libraries = 'pg_stat_statements'
CONF
  cat "$dir/extra.conf" | as postgres tee -a "$pg/primary/postgresql.conf" >/dev/null
  printf '%s\n' 'local all app scram-sha-256' 'local all all trust' 'local replication admin trust' \
    'host all all 127.0.0.1/32 scram-sha-256' | as postgres tee "$pg/primary/pg_hba.conf" >/dev/null
  as postgres "$PG_BIN/pg_ctl" -D "$pg/primary" -o "-p $primary" -l "$pg/primary.log" -w start >"$dir/pg_ctl.log" 2>&1 || return 1
  as postgres "$PG_BIN/psql" -h "$pg" -p "$primary" -U admin -d postgres -qX -v ON_ERROR_STOP=1 >"$dir/psql.log" 2>&1 <<SQL || return 1
CREATE ROLE app LOGIN PASSWORD '$PASSWORD';
CREATE DATABASE app OWNER app;
\connect app
CREATE EXTENSION pg_stat_statements;
SQL
  as postgres "$PG_BIN/pg_basebackup" -h "$pg" -p "$primary" -U admin -D "$pg/standby" -R -X stream -c fast --no-sync \
    >"$dir/basebackup.log" 2>&1 || return 1
  as postgres "$PG_BIN/pg_ctl" -D "$pg/standby" -o "-p $standby" -l "$pg/standby.log" -w start >>"$dir/pg_ctl.log" 2>&1 || return 1
  as postgres sh -c "cat >'$pg/pgbouncer.ini' && echo '\"app\" \"$PASSWORD\"' >'$pg/users.txt'" <<CONF
[databases]
app = host=$pg port=$primary
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $pooler
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $pg/users.txt
pool_mode = transaction
default_pool_size = 2
logfile = $pg/pgbouncer.log
pidfile = $pg/pgbouncer.pid
CONF
  as postgres pgbouncer -q -d "$pg/pgbouncer.ini" >"$dir/pgbouncer.log" 2>&1 || return 1
}

start_mariadb() {
  local data=$dir/maria
  as mysql mariadb-install-db --no-defaults --datadir="$data/data" --auth-root-authentication-method=normal \
    --skip-test-db >"$dir/mariadb-install.log" 2>&1 || return 1
  as mysql mariadbd --no-defaults --datadir="$data/data" --socket="$data/socket" --port="$maria" --bind-address=127.0.0.1 \
    --pid-file="$data/mariadb.pid" --innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=256M --skip-name-resolve \
    --ssl-cert="$data/cert.pem" --ssl-key="$data/key.pem" --performance-schema=ON --log-error="$data/error.log" \
    </dev/null >"$dir/mariadb.log" 2>&1 &
  for _ in $(seq 300); do
    mariadb --no-defaults -u root -S "$data/socket" -e 'SELECT 1' >/dev/null 2>&1 && break
    sleep 0.1
  done
  mariadb --no-defaults -u root -S "$data/socket" >"$dir/mariadb-setup.log" 2>&1 <<SQL
CREATE DATABASE app CHARACTER SET utf8mb4;
CREATE USER app@'127.0.0.1' IDENTIFIED BY '$PASSWORD';
GRANT ALL ON app.* TO app@'127.0.0.1';
CREATE USER admin@'127.0.0.1' IDENTIFIED BY '$PASSWORD';
GRANT ALL ON *.* TO admin@'127.0.0.1' WITH GRANT OPTION;
SQL
}

start_mariadb &
mariadb_started=$!
start_postgres || failed "PostgreSQL did not start"
wait "$mariadb_started" || failed "MariaDB did not start"

declare -A variables=(
  [PG_PRIMARY]="postgres://app:$PASSWORD@127.0.0.1:$primary/app"
  [PG_STANDBY]="postgres://app:$PASSWORD@127.0.0.1:$standby/app"
  [PG_POOLER]="postgres://app:$PASSWORD@127.0.0.1:$pooler/app"
  [PG_ADMIN]="postgres://admin:$PASSWORD@127.0.0.1:$primary/app"
  [PG_STANDBY_ADMIN]="postgres://admin:$PASSWORD@127.0.0.1:$standby/app"
  [PG_SOCKET_DIR]="$dir/pg" [PG_PORT]="$primary" [PG_BIN]="$PG_BIN" [PG_STANDBY_DATA]="$dir/pg/standby"
  [MARIADB]="mysql://app:$PASSWORD@127.0.0.1:$maria/app"
  [MARIADB_ADMIN]="mysql://admin:$PASSWORD@127.0.0.1:$maria/app"
  [MARIADB_SOCKET]="$dir/maria/socket"
  [PGTAP]="$(if [[ -f $pgtap ]]; then echo yes; else echo no; fi)"
  [SERVERS_CA]="$dir/ca.pem"
  [PASSWORD]="$PASSWORD"
)
if [[ $# -gt 0 ]]; then
  for name in "${!variables[@]}"; do [[ $name == PASSWORD ]] || export "$name=${variables[$name]}"; done
  export SERVERS_PASSWORD=$PASSWORD
  "$@"
else
  for name in "${!variables[@]}"; do echo "$name=${variables[$name]}"; done | sort
  echo ready
  cat >/dev/null
fi
