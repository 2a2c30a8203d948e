#!/usr/bin/env bash
# Builds the npm package around a binary: packaging/npm/build.sh BINARY FOLDER. Prints the tarball's path.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binary=$1
folder=$2
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir "$stage/bin"
cp "$here/package.json" "$stage"
cp "$here/bin/tokendrift.js" "$stage/bin"
cp "$binary" "$stage/bin/tokendrift"
chmod 755 "$stage/bin/tokendrift" "$stage/bin/tokendrift.js"
cd "$stage"
npm pack --silent --pack-destination "$folder" | sed "s|^|$folder/|"
