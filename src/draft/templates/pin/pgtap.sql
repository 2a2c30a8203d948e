-- tokendrift-pin: {{column}} {{contract}}
-- Run it with pg_prove against the database that the test suite has filled.
BEGIN;
SELECT plan(1);
SELECT results_eq(
  {{quote}} {{select}} {{quote}},
  $$ VALUES (0::bigint) $$,
  '{{promise}}'
);
SELECT * FROM finish();
ROLLBACK;
