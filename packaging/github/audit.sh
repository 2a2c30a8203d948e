#!/usr/bin/env bash
# The GitHub Action's main step: audits once, annotates the lines of the findings, writes the job's summary, leaves the report as JSON,
# SARIF and Markdown, and exits as the audit did.
set -euo pipefail

# A folder of its own: what another use of the action left is not this one's.
folder=$(mktemp -d "${RUNNER_TEMP:-/tmp}/tokendrift.XXXXXX")
args=()
while IFS= read -r line; do
  if [ -n "$line" ]; then args+=("$line"); fi
done <<<"${MORE:-}"

code=0
tokendrift audit "$AUDITED" --fail-on "${FAIL_ON:-warning}" --format github --quiet \
  --json-output "$folder/tokendrift.json" --sarif-output "$folder/tokendrift.sarif" \
  --markdown-output "$folder/tokendrift.md" "${args[@]+"${args[@]}"}" || code=$?
echo "exit-code=$code" >>"$GITHUB_OUTPUT"
# An audit that could not run leaves nothing.
if [ -s "$folder/tokendrift.json" ]; then
  {
    echo "report=$folder/tokendrift.json"
    echo "sarif=$folder/tokendrift.sarif"
    echo "markdown=$folder/tokendrift.md"
  } >>"$GITHUB_OUTPUT"
  cat "$folder/tokendrift.md" >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
fi
exit "$code"
