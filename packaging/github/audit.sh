#!/usr/bin/env bash
# The GitHub Action's one step: audits, annotates the lines of the findings, writes the job's summary, and exits as the audit did.
set -euo pipefail

folder=${RUNNER_TEMP:-$(mktemp -d)}
report=$folder/tokendrift.json
args=()
while IFS= read -r line; do
  if [ -n "$line" ]; then args+=("$line"); fi
done <<<"${MORE:-}"

code=0
tokendrift audit "$AUDITED" --fail-on "${FAIL_ON:-warning}" --format json --output "$report" --quiet "${args[@]+"${args[@]}"}" || code=$?
{
  echo "exit-code=$code"
  echo "report=$report"
} >>"$GITHUB_OUTPUT"
if [ ! -s "$report" ]; then exit "$code"; fi

# Workflow commands end at a newline, and their properties at a comma or colon.
prefix=$(git -C "$AUDITED" rev-parse --show-prefix 2>/dev/null || true)
jq -r --arg prefix "$prefix" '
  def text: gsub("%"; "%25") | gsub("\r"; "%0D") | gsub("\n"; "%0A");
  def property: text | gsub(":"; "%3A") | gsub(","; "%2C");
  .findings[]
  | (if .level == "note" then "notice" else .level end) as $level
  | "::\($level) file=\($prefix + .file | property),line=\(.line),title=\(.check | property)::\(.message | text)"
' "$report"

if [ "${SUMMARY:-true}" = true ] && [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
  jq -r '
    "## tokendrift", "",
    (if (.findings | length) == 0 then "No findings." else
      "| level | check | where | what |", "|---|---|---|---|",
      (.findings[] | "| \(.level) | \(.check) | \(.file):\(.line) | \(.message | gsub("\\|"; "\\|") | gsub("\n"; " ")) |")
    end)
  ' "$report" >>"$GITHUB_STEP_SUMMARY"
fi
exit "$code"
