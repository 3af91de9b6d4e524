// Chromium as the tests use it, and what they ask of pages.
import assert from 'node:assert/strict';
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
 * uncaught exceptions. Refused requests are the API's business, and tests ask for them on purpose. The network changes
 * when tests beside these lay a link on this machine; the page then asks again.
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
    if (
      /^Failed to load resource: (the server responded with a status of [45]\d\d|net::ERR_NETWORK_CHANGED)/.test(
        message.text(),
      )
    )
      return;
    complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
}

export async function signIn(page, base, username, password, path = '/') {
  await page.goto(base + path);
  await page.getByLabel('User name').fill(username);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
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

/** Waits until a dialog that was closed has faded: its veil takes clicks up to then. */
export function dialogGone(page) {
  return page.waitForFunction(() => !document.querySelector('.mantine-Modal-overlay'));
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

/** Sends a request as the person of a page; returns the status and the body, null when it is empty. */
export function call(page, method, path, body) {
  return page.evaluate(
    async ([method, path, body]) => {
      const answer = await fetch(`/api/v1${path}`, {
        method,
        ...(body ? { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } } : {}),
      });
      const text = await answer.text();
      return { status: answer.status, body: text ? JSON.parse(text) : null };
    },
    [method, path, body],
  );
}

/** What the API says at a path, to the person of a page. */
export async function get(page, path) {
  return (await call(page, 'GET', path)).body;
}

/** Adds a policy, by the page of somebody who may. */
export async function addPolicy(admin, id, text) {
  const made = await call(admin, 'POST', '/policies', { id, name: id, text });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  return made.body;
}

/** Makes a user by admin's page and signs them in, in a window of their own. */
export async function newPerson(browser, admin, base, username, roles = ['user']) {
  const made = await call(admin, 'POST', '/users', { username, roles });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const person = await openPage(browser);
  // The first password is for changing it.
  await person.page.goto(`${base}/sign-in`);
  const { password } = made.body;
  assert.equal((await call(person.page, 'POST', '/sign-in', { username, password })).status, 200);
  const secret = 'a password nobody guesses 7';
  const change = { current_password: password, new_password: secret };
  const changed = await call(person.page, 'POST', '/me/password', change);
  assert.ok(changed.status < 300, JSON.stringify(changed.body));
  await call(person.page, 'POST', '/sign-out');
  await signIn(person.page, base, username, secret);
  await person.page.waitForURL('**/targets');
  return person;
}

/** Connects to the demo desktop and waits for its picture; returns the session's id. */
export async function connect(page) {
  await page.getByRole('button', { name: 'Connect to Demo desktop' }).click();
  return firstPicture(page);
}

/** Waits for the picture of the session that a page is about to show; returns the session's id. */
export async function firstPicture(page) {
  await page.waitForURL('**/sessions/*');
  await eventually(
    () => pixels(page, 'desktop', [[8, 8]]),
    (seen) => seen !== null,
    'the first picture',
  );
  return new URL(page.url()).pathname.split('/').at(-1);
}

/** Makes the user alice and lets users connect, by admin's page; she signs in and is in a session with the demo desktop. */
export async function aliceConnects(browser, admin, base) {
  await addPolicy(
    admin,
    'everybody-connects',
    'permit (principal in Role::"user", action == Action::"connect", resource);',
  );
  const alice = await newPerson(browser, admin, base, 'alice');
  await connect(alice.page);
  return alice;
}
