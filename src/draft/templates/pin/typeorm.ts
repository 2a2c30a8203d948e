// tokendrift-pin: {{column}} {{contract}}
// Runs after the tests that log in, against the database that they have filled.
import { expect, test } from '{{runner}}';
import {{import}} from '{{module}}';

test('{{promise}}', async () => {
  if (!{{symbol}}.isInitialized) {
    await {{symbol}}.initialize();
  }
  try {
    const [row] = await {{symbol}}.query(`{{select}}`);
    expect(Number(row.broken_rows)).toBe(0);
  } finally {
    await {{symbol}}.destroy();
  }
});
