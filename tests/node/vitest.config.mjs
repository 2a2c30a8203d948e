// As Nest projects run Vitest: SWC, which emits the metadata that dependency injection reads.
import { createRequire } from 'node:module';
import swc from 'unplugin-swc';

const { jsc } = createRequire(import.meta.url)('./swc.json');

export default {
  plugins: [swc.vite({ jsc, module: { type: 'es6' } })],
  test: { include: ['**/*.pin.spec.ts'] },
};
