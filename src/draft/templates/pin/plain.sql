-- tokendrift-pin: {{column}} {{contract}}
-- {{promise}}
-- Run it against the database that the test suite has filled; it fails where a row breaks the contract:
--   psql -v ON_ERROR_STOP=1 -f {{file}} · sqlite3 -bail DATABASE < {{file}} · mysql < {{file}}
CREATE TEMPORARY TABLE {{name}} (broken_rows integer NOT NULL CHECK (broken_rows = 0));
INSERT INTO {{name}}
{{select}};
DROP TABLE {{name}};
