const swc = require('./swc.json');

module.exports = { testMatch: ['**/*.pin.spec.ts'], transform: { '^.+\\.ts$': ['@swc/jest', swc] } };
