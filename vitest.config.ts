import { defineConfig } from 'vitest/config'

/** Lanes: `pure` needs no driver; `gpu` runs on whatever adapter the machine offers, one process at a time. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'pure',
          include: ['**/*.test.ts'],
          exclude: ['**/*.gpu.test.ts', '**/node_modules/**', 'dist/**'],
          pool: 'forks',
          setupFiles: ['./test/check-answers.ts'],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'gpu',
          include: ['**/*.gpu.test.ts'],
          exclude: ['**/node_modules/**', 'dist/**'],
          pool: 'forks',
          // The engine's worker threads inherit it: Node 20 does not strip types itself.
          execArgv: ['--import', './test/run-typescript.mjs'],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
})
