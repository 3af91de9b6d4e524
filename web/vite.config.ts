import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';
import { themeVariables } from './vite-theme.ts';

export default defineConfig({
  plugins: [react(), themeVariables()],
  build: {
    target: 'es2022',
    // The Content-Security-Policy allows fonts and scripts from the console's own origin only, so no data: URLs.
    assetsInlineLimit: 0,
    // dist/.gitkeep is committed so that a clone without npm builds.
    emptyOutDir: true,
    license: { fileName: 'licenses.md' },
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'react', test: /node_modules\/(react|react-dom|react-router|scheduler)\// },
            { name: 'ui', test: /node_modules\/(@mantine|@floating-ui)\// },
          ],
        },
      },
    },
  },
  server: {
    port: 14601,
    strictPort: true,
    proxy: { '/api': { target: process.env.VITRINE_API ?? 'http://127.0.0.1:14600' } },
  },
  test: {
    environment: 'jsdom',
    setupFiles: ['src/testing/setup.ts'],
    include: ['src/**/*.test.{ts,tsx}'],
    testTimeout: 20_000,
  },
});
