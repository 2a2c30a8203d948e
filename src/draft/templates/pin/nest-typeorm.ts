// tokendrift-pin: {{column}} {{contract}}
// Runs after the tests that log in, against the database that they have filled.
import { expect, test } from '{{runner}}';
import { NestFactory } from '@nestjs/core';
import { DataSource } from 'typeorm';
import { {{symbol}} } from '{{module}}';

test('{{promise}}', async () => {
  const app = await NestFactory.createApplicationContext({{symbol}}, { logger: false, abortOnError: false });
  try {
    const [row] = await app.get(DataSource).query(`{{select}}`);
    expect(Number(row.broken_rows)).toBe(0);
  } finally {
    await app.close();
  }
});
