#!/usr/bin/env bash
# Installs what tests start from Debian's packages: tests/packages.sh PACKAGE.. Exits with 1 where that is not allowed or fails.
set -euo pipefail
command -v apt-get >/dev/null || exit 1
sudo=()
if [[ $(id -u) != 0 ]]; then sudo=(sudo -n); fi
"${sudo[@]}" true 2>/dev/null || exit 1
# Run level 1: packages start no service.
install=("${sudo[@]}" env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
{ "${install[@]}" update && "${install[@]}" install --no-install-recommends "$@"; } >&2 </dev/null
