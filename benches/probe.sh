#!/usr/bin/env bash
# The live part over many rows against the aggregate that one would write by hand, in turn in one run, as ratios of the
# medians: of the whole process, and of what the server says it took (pg_stat_statements).
#
#   tests/servers.sh benches/probe.sh target/release/tokendrift [ROWS] [ROUNDS]
#
# Three tracked columns and two cohorts on PostgreSQL, its statistics fresh, all of it in memory after the first round.
set -euo pipefail

bin=$1 rows=${2:-10000000} rounds=${3:-5}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
sql() { "$PG_BIN/psql" "$PG_PRIMARY" -qXAt -v ON_ERROR_STOP=1 "$@"; }

sql <<SQL
CREATE TABLE accounts (id bigserial PRIMARY KEY, access_token text, refresh_token text, id_token text, client text, provider text);
INSERT INTO accounts (access_token, refresh_token, id_token, client, provider)
SELECT CASE WHEN n % 7 > 2 THEN 'x' || n END, CASE WHEN n % 3 > 0 THEN md5(n::text) END, CASE WHEN n % 11 > 4 THEN 'y' || n ELSE '' END,
  (ARRAY['web', 'ios', 'android', 'cli'])[1 + n % 4], (ARRAY['password', 'google', 'github'])[1 + n % 3]
FROM generate_series(1, $rows) n;
VACUUM ANALYZE accounts;
SQL
for column in access_token refresh_token id_token; do
  cat <<TOML
[[column]]
table = "accounts"
column = "$column"
[[column.cohort]]
name = "client"
by = "client"
[[column.cohort]]
name = "provider"
by = "provider"
TOML
done >"$dir/tokendrift.toml"
cat >>"$dir/tokendrift.toml" <<TOML
[[database]]
name = "bench"
url-env = "BENCH_URL"
budget = "30m"
TOML
counts=$(for column in access_token refresh_token id_token; do
  echo ", count(CASE WHEN $column IS NULL THEN 1 END), count(CASE WHEN $column = '' THEN 1 END), count(CASE WHEN $column = 'null' THEN 1 END)"
done)
by_hand="SELECT client, provider, count(*) $counts FROM accounts GROUP BY 1, 2"

python3 - "$dir" "$rows" "$rounds" "$bin" "$by_hand" <<'PY'
import json, os, statistics, subprocess, sys, time
folder, rows, rounds, bin, by_hand = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
url = os.environ["PG_PRIMARY"]
probe = [bin, "probe", "--config", f"{folder}/tokendrift.toml", "--database-url", url, "--quiet", "--format", "json", "--method"]
commands = {"by-hand": [os.environ["PG_BIN"] + "/psql", url, "-qXAt", "-c", by_hand]}
commands |= {method: probe + [method] for method in ["exact", "sample", "statistics"]}
psql = [os.environ["PG_BIN"] + "/psql", os.environ["PG_ADMIN"], "-qXAt", "-c"]
def ask(sql):
    return subprocess.run(psql + [sql], check=True, capture_output=True, text=True).stdout.strip()
times, server, memory = ({name: [] for name in commands} for _ in range(3))
for _ in range(rounds):
    for name, command in commands.items():
        ask("SELECT pg_stat_statements_reset()")
        with open(f"{folder}/{name}.out", "wb") as out:
            began = time.monotonic()
            child = subprocess.Popen(command, stdout=out)
            _, status, used = os.wait4(child.pid, 0)
            times[name].append(time.monotonic() - began)
            memory[name].append(used.ru_maxrss / 1024)
            assert status == 0, (name, status)
        mine = "SELECT sum(total_exec_time) / 1000 FROM pg_stat_statements WHERE userid = 'app'::regrole"
        server[name].append(float(ask(mine)))
seconds = {name: statistics.median(took) for name, took in times.items()}
served = {name: statistics.median(took) for name, took in server.items()}
peak = {name: max(used) for name, used in memory.items()}
truth = {"access_token": sum(1 for n in range(7) if n <= 2) / 7, "refresh_token": 1 / 3, "id_token": 0.0}
print(f"{rows} rows; seconds and ratio to the query by hand, of the process and of the server; peak MiB of the client")
for name, took in seconds.items():
    print(f"{name:<12}{took:>9.2f}{took / seconds['by-hand']:>9.3f}{served[name]:>9.3f}{served[name] / served['by-hand']:>9.4f}{peak[name]:>8.0f}")
for name in ["exact", "sample", "statistics"]:
    for column in json.load(open(f"{folder}/{name}.out"))["columns"]:
        live, share = column["live"], truth[column["column"].split(".")[1]]
        low, high = live["interval"]
        assert low - 1e-6 <= share <= high + 1e-6, (name, column["column"], share, live["interval"])
        assert name != "exact" or live["rows"] == rows, live["rows"]
        print(f"{name:<12}{column['column']:<24}{live['method']:<12}{live['rows']:>10} rows, {live['statements']} statements, NULL {low:.4f} to {high:.4f} (truth {share:.4f})")
PY
