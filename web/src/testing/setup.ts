import { cleanup, configure } from '@testing-library/react';
import { afterEach } from 'vitest';

// Tests wait for what appears; on a machine that does other things a second is short.
configure({ asyncUtilTimeout: 10_000 });

afterEach(cleanup);

// What Mantine asks of a browser and jsdom does not have.
Object.defineProperty(window, 'matchMedia', {
  value: (query: string) => ({
    matches: false,
    media: query,
    onchange: null,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
    addListener: () => undefined,
    removeListener: () => undefined,
    dispatchEvent: () => false,
  }),
});
window.ResizeObserver = class {
  observe() {
    // Nothing is ever laid out here.
  }
  unobserve() {
    // See observe.
  }
  disconnect() {
    // See observe.
  }
};
Object.defineProperty(document, 'fonts', {
  value: { addEventListener: () => undefined, removeEventListener: () => undefined },
});
