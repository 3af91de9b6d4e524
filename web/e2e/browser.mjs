// Chromium as the tests use it, and what they ask of pages.
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const shots = process.env.VITRINE_SCREENSHOTS ?? fileURLToPath(new URL('screenshots', import.meta.url));

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

/**
 * A page in a context of its own that remembers what went wrong in it: errors and warnings of the console and
 * uncaught exceptions. Refused requests are the API's business, and tests ask for them on purpose.
 */
export async function openPage(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const complaints = [];
  watch(page, complaints);
  return { context, page, complaints };
}

export function watch(page, complaints) {
  page.on('console', (message) => {
    if (!['error', 'warning'].includes(message.type())) return;
    if (/^Failed to load resource: the server responded with a status of [45]\d\d/.test(message.text()))
      return;
    complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
}

export async function signIn(page, base, username, password, path = '/') {
  await page.goto(base + path);
  await page.getByLabel('User name').fill(username);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Writes a picture of the page for people to look at, in both colour schemes. */
export async function screenshot(page, name) {
  mkdirSync(shots, { recursive: true });
  for (const colorScheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme });
    // Colours change without transitions; two frames are enough for the new ones to be drawn.
    await page.evaluate(
      () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
    );
    await page.screenshot({ path: `${shots}/${name}-${colorScheme}.png` });
  }
}

/** The colours of pixels of a video with what lies over it, [red, green, blue] each; null while it shows nothing. */
export function pixels(page, testId, points) {
  return page.evaluate(
    ({ testId, points }) => {
      const found = document.querySelector(`[data-testid="${testId}"]`);
      const video = found instanceof HTMLVideoElement ? found : found?.querySelector('video');
      if (!video?.videoWidth || video.readyState < 2) return null;
      const canvas = document.createElement('canvas');
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      const context = canvas.getContext('2d', { willReadFrequently: true });
      context.drawImage(video, 0, 0);
      const tiles = found.querySelector('canvas');
      if (tiles) context.drawImage(tiles, 0, 0);
      return points.map(([x, y]) => [...context.getImageData(x, y, 1, 1).data].slice(0, 3));
    },
    { testId, points },
  );
}

/** The whole picture of a video, with what lies over it, as a PNG file in base64; null while it shows nothing. */
export function picture(page, testId) {
  return page.evaluate((testId) => {
    const found = document.querySelector(`[data-testid="${testId}"]`);
    const video = found instanceof HTMLVideoElement ? found : found?.querySelector('video');
    if (!video?.videoWidth || video.readyState < 2 || video.seeking) return null;
    const canvas = document.createElement('canvas');
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0);
    const tiles = found.querySelector('canvas'); // exact pixels over the live picture
    if (tiles) context.drawImage(tiles, 0, 0);
    return canvas.toDataURL('image/png').split(',')[1];
  }, testId);
}

/** Where a pixel of the desktop lies on the page. */
export async function place(page, [x, y]) {
  const box = await page.getByTestId('desktop').boundingBox();
  const [w, h] = await page.evaluate(() => {
    const video = document.querySelector('video');
    return [video.videoWidth, video.videoHeight];
  });
  return [box.x + ((x + 0.5) * box.width) / w, box.y + ((y + 0.5) * box.height) / h];
}

/** How far two colours are apart: the largest difference of a channel. */
export function distance(a, b) {
  return Math.max(...a.map((value, i) => Math.abs(value - b[i])));
}

/** Asks until the answer is good or the time is over; returns the last answer, and throws when it never was. */
export async function eventually(ask, good, what, timeoutMs = 10_000) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (good(answer)) return answer;
    if (Date.now() > end) throw new Error(`${what}: still ${JSON.stringify(answer)} after ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
