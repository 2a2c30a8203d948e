#!/usr/bin/env node
// Runs the binary beside this file as it is: same arguments, same streams, same exit code.
'use strict';

const { spawnSync } = require('node:child_process');
const { join } = require('node:path');

const ran = spawnSync(join(__dirname, 'tokendrift'), process.argv.slice(2), { stdio: 'inherit' });
if (ran.error) {
  console.error(`tokendrift: ${ran.error.message}`);
}
process.exit(ran.status ?? 2);
