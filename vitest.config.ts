// How the tests run: one list of files, under Node (better-sqlite3) and under Bun (bun:sqlite, what ships).
import { defineConfig } from 'vitest/config';

const underBun = 'Bun' in globalThis;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // The end-to-end tests drive the compiled binary and need Bun's speed and sockets only once.
    exclude: underBun ? ['test/e2e/**'] : ['test/e2e/**', 'test/app/**'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
