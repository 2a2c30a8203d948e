#!/usr/bin/env bash
# Checks what goes to other people's machines: lints the templates, builds the wheel and the npm package around the binary of
# `cargo build`, starts it from both, and has cargo verify the crate. What no registry gives is said to be skipped.
#
# usage: packaging/check.sh
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
skip() { echo "SKIPPED packaging: $1" >&2; }

bash -n packaging/github/audit.sh packaging/github/comment.sh packaging/npm/build.sh
cargo build --locked --quiet
binary=$target/debug/tokendrift
version=$("$binary" --version)
cargo install --path . --locked --debug --quiet --root "$work/cargo" 2>/dev/null
test "$("$work/cargo/bin/tokendrift" --version)" = "$version"

# The action's step, as a runner would start it.
PATH=$target/debug:$PATH RUNNER_TEMP=$work GITHUB_OUTPUT=$work/output GITHUB_STEP_SUMMARY=$work/summary \
  AUDITED=fixtures/nest-auth/drifted MORE='' FAIL_ON=warning bash packaging/github/audit.sh >"$work/annotations" && exit 1 || test $? = 1
grep -q '^::warning .*auth' "$work/annotations"
grep -q '^exit-code=1$' "$work/output"
test -s "$work/summary" -a -s "$(sed -n 's/^sarif=//p' "$work/output")" -a -s "$(sed -n 's/^markdown=//p' "$work/output")"
head -n 1 "$(sed -n 's/^markdown=//p' "$work/output")" | grep -qx '<!-- tokendrift -->'
# A second use in the same job that cannot run publishes nothing of the first.
PATH=$target/debug:$PATH RUNNER_TEMP=$work GITHUB_OUTPUT=$work/second AUDITED=$work/nothing MORE='' \
  bash packaging/github/audit.sh 2>/dev/null && exit 1 || test $? = 2
test "$(cat "$work/second")" = exit-code=2

# The GitLab job's line.
(cd fixtures/nest-auth/drifted && "$binary" audit . --quiet --gitlab-output "$work/quality.json" >/dev/null) && exit 1 || test $? = 1
test -s "$work/quality.json"

if command -v python3 >/dev/null && python3 -m venv "$work/venv" 2>/dev/null &&
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check 'maturin>=1.7,<2' yamllint pre-commit >/dev/null 2>&1; then
  python=$work/venv/bin
  "$python/yamllint" --strict -d '{extends: default, rules: {line-length: disable, document-start: disable, truthy: disable}}' \
    action.yml .pre-commit-hooks.yaml packaging/gitlab/*.yml
  "$python/pre-commit" validate-manifest .pre-commit-hooks.yaml
  (cd packaging/python && CARGO_TARGET_DIR=$target "$python/maturin" build --quiet --locked --profile dev --skip-auditwheel --out "$work/wheels")
  "$python/pip" install --quiet --disable-pip-version-check --no-index "$work"/wheels/tokendrift-*.whl
  test "$("$python/tokendrift" --version)" = "$version"
else
  skip "no Python with venv, or no package index: yamllint, pre-commit and the wheel are not checked"
fi

if command -v npm >/dev/null; then
  tarball=$(packaging/npm/build.sh "$binary" "$work")
  mkdir "$work/npm"
  (cd "$work/npm" && npm install --silent --offline --no-audit --no-fund "$tarball")
  test "$("$work/npm/node_modules/.bin/tokendrift" --version)" = "$version"
  (cd fixtures/nest-auth/drifted && "$work/npm/node_modules/.bin/tokendrift" audit --quiet >/dev/null) && exit 1 || test $? = 1
  if npm install --silent --no-audit --no-fund --prefix "$work/lint" @action-validator/core @action-validator/cli >/dev/null 2>&1; then
    "$work/lint/node_modules/.bin/action-validator" action.yml
  else
    skip "no package registry: action.yml is not validated"
  fi
else
  skip "npm is not installed: the npm package is not checked"
fi

cargo package --locked --quiet --allow-dirty
# Cargo takes what it built there for builds of the tree itself, and never again looks at the tree's files for them.
rm -rf "$target"/debug/.fingerprint/tokendrift-*
echo "packaging: checked"
