// tokendrift-pin: {{column}} {{contract}}
// Runs after the tests that log in, against the database that they have filled.
import { expect, test } from '{{runner}}';
import {{import}} from '{{module}}';

test('{{promise}}', async () => {
  const prisma = {{symbol}};
  try {
    const [row] = await prisma.$queryRaw<[{ broken_rows: bigint }]>`{{select}}`;
    expect(Number(row.broken_rows)).toBe(0);
  } finally {
    await prisma.$disconnect();
  }
});
