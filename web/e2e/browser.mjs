// Chromium as the tests use it.
import { chromium } from 'playwright-core';

/** Starts a headless Chromium with a fresh profile; the caller closes it. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.VITRINE_CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
