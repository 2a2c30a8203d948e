#!/usr/bin/env bash
# The GitHub Action's comment on the pull request: the one that an earlier run left, known by its first line, is replaced.
set -euo pipefail

mark=$(head -n 1 "$BODY")
known=$(gh api --paginate "repos/$GH_REPO/issues/$PULL_REQUEST/comments" |
  jq --raw-output --arg mark "$mark" '.[] | select(.user.type == "Bot" and (.body | startswith($mark))) | .id' | tail -n 1)
if [ -n "$known" ]; then
  gh api --silent --method PATCH "repos/$GH_REPO/issues/comments/$known" --field "body=@$BODY"
else
  gh pr comment "$PULL_REQUEST" --body-file "$BODY"
fi
