// The whole product: the real binary with its demo desktop, and a real Chromium. What is typed and clicked in the
// browser must arrive on the desktop, show in the video, and be found again in the recording.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  connect,
  distance,
  eventually,
  get,
  launch,
  openPage,
  pixels,
  place,
  screenshot,
  signIn,
  watch,
} from './browser.mjs';
import * as scene from './demo-scene.mjs';
import { startDemo } from './process.mjs';

let gateway;
let browser;
let base;
let password;

before(async () => {
  gateway = await startDemo();
  ({ base, password } = gateway);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await gateway?.close();
});

/**
 * Fails unless every swatch of the demo desktop is in the picture, as exactly as H.264 shows flat colours. In a recording they may be just
 * drawn, and coarse still.
 */
async function rightPixels(page, testId, what) {
  const tolerance = testId === 'recording' ? 12 : 6;
  const colours = scene.swatches.map((s) => s.colour);
  await eventually(
    () =>
      pixels(
        page,
        testId,
        scene.swatches.map((s) => s.at),
      ),
    (seen) => seen?.every((colour, i) => distance(colour, colours[i]) <= tolerance),
    `${what}: expected ${JSON.stringify(colours)}`,
  );
}

test('a wrong password is refused', async () => {
  const { page, context, complaints } = await openPage(browser);
  await signIn(page, base, 'admin', 'not the password');
  await page.getByRole('alert').waitFor();
  await screenshot(page, 'real-sign-in-refused');
  assert.equal(new URL(page.url()).pathname, '/sign-in');
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a session, from signing in to its recording', async (t) => {
  const { page, context, complaints } = await openPage(browser, {
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  await signIn(page, base, 'admin', password);
  await page.waitForURL('**/targets');
  await screenshot(page, 'real-targets');
  const began = Date.now();
  const session = await connect(page);
  t.diagnostic(`first picture after ${Date.now() - began} ms`);
  await rightPixels(page, 'desktop', 'the live picture');
  await screenshot(page, 'real-desktop');

  await t.test('a click arrives', async () => {
    const [x, y] = await place(page, scene.button.at);
    await page.mouse.click(x, y);
    await eventually(
      () => pixels(page, 'desktop', [scene.button.lamp]),
      (seen) => distance(seen[0], scene.button.lit) <= 10,
      'the lamp the button switches',
    );
  });

  await t.test('typed text arrives', async () => {
    const [x, y] = await place(page, scene.field.at);
    await page.mouse.click(x, y);
    const before = await pixels(page, 'desktop', scene.field.probes);
    await page.keyboard.type('Hello, Vitrine! @#é', { delay: 15 });
    await eventually(
      () => pixels(page, 'desktop', scene.field.probes),
      (seen) => seen.filter((colour, i) => distance(colour, before[i]) > 60).length >= 20,
      'ink where the text is',
    );
  });

  await t.test('the clipboard goes both ways', async () => {
    await page.evaluate(() => navigator.clipboard.writeText('from the browser'));
    await page.keyboard.press('Control+v');
    await eventually(
      async () => (await get(page, `/recordings/${session}/events?limit=5000`)).events,
      (events) => events.some((e) => e.direction === 'to_target' && e.text === 'from the browser'),
      'the clipboard in the log',
    );
    await page.keyboard.press('Control+a');
    await page.keyboard.press('Control+c');
    await eventually(
      () => page.evaluate(() => navigator.clipboard.readText()),
      (text) => text.includes('Hello, Vitrine! @#é') && text.includes('from the browser'),
      'what was copied on the desktop',
    );
  });

  await t.test('oversized clipboard text is refused with a reason', async () => {
    await page.getByRole('button', { name: 'Clipboard', exact: true }).click();
    await page.getByLabel('To the desktop', { exact: true }).fill('x'.repeat(1_100_000));
    await page.getByRole('button', { name: 'Send to the desktop' }).click();
    await page.getByText('the clipboard carries at most 1 MiB').waitFor();
    await page.getByLabel('To the desktop', { exact: true }).fill('');
    await screenshot(page, 'real-clipboard');
    await page.keyboard.press('Escape');
  });

  await t.test('special keys', async () => {
    await page.getByRole('button', { name: 'Special keys' }).click();
    await screenshot(page, 'real-keys');
    await page.getByRole('button', { name: 'Ctrl+Alt+Del' }).click();
    await eventually(
      async () => (await get(page, `/recordings/${session}/events?limit=5000`)).events,
      (events) => events.some((e) => e.kind === 'key' && /^(KP_)?Delete$/.test(e.key)),
      'the keys in the log',
    );
  });

  await t.test('the desktop takes the size of the window, and its own again', async () => {
    const size = () =>
      page.evaluate(() => [
        document.querySelector('video').videoWidth,
        document.querySelector('video').videoHeight,
      ]);
    const own = await size();
    await page.setViewportSize({ width: 1112, height: 744 });
    await page.getByText('Resize', { exact: true }).click();
    await eventually(size, ([w, h]) => w === 1112 && h === 700, 'the size of the window');
    await rightPixels(page, 'desktop', 'the resized picture');
    await page.setViewportSize({ width: own[0], height: own[1] + 44 });
    await eventually(size, ([w, h]) => w === own[0] && h === own[1], 'the size from before');
    await page.getByText('Fit', { exact: true }).click();
  });

  await t.test('a second tab takes over, and the first takes back', async () => {
    const second = await context.newPage();
    watch(second, complaints);
    await second.goto(page.url());
    await eventually(
      () => pixels(second, 'desktop', [[8, 8]]),
      (seen) => seen !== null,
      'the second picture',
    );
    await page.getByText('View only').waitFor();
    await page.getByRole('button', { name: 'Take control' }).click();
    await second.getByText('View only').waitFor();
    await second.close();
    await page.getByRole('button', { name: 'Special keys' }).waitFor();
  });

  await t.test('the recording plays while the session runs', async () => {
    const player = await context.newPage();
    watch(player, complaints);
    await player.goto(`${base}/recordings/${session}`);
    await player.getByRole('button', { name: 'Go live' }).click();
    await rightPixels(player, 'recording', 'the recording of the running session');
    await screenshot(player, 'real-player-live');
    await player.close();
  });

  await t.test('disconnect, ending the session', async () => {
    await page.getByRole('button', { name: 'Disconnect' }).click();
    await screenshot(page, 'real-disconnect');
    await page.getByRole('button', { name: 'End the session' }).click();
    await page.waitForURL('**/targets');
  });

  await t.test('the recording is sealed and verified', async () => {
    await page.goto(`${base}/recordings`);
    await eventually(
      () => get(page, `/recordings/${session}`),
      (recording) => recording.state === 'sealed' && recording.sealed_by === 'worker',
      'a sealed recording',
    );
    await page.getByRole('button', { name: 'Verify the recording of Demo desktop' }).first().click();
    await page.getByText('Whole and unaltered').waitFor();
    await screenshot(page, 'real-verified');
  });

  await t.test('the recording shows the right pixels wherever one seeks', async () => {
    await page.goto(`${base}/recordings/${session}`);
    await rightPixels(page, 'recording', 'the first picture of the recording');
    const slider = page.getByRole('slider', { name: 'Position in the recording' });
    const box = await slider.boundingBox();
    for (const part of [0.98, 0.2, 0.6, 0.02]) {
      await page.mouse.click(box.x + box.width * part, box.y + box.height - 10);
      await eventually(
        () => page.evaluate(() => document.querySelector('video').seeking),
        (seeking) => !seeking,
        'the end of the seek',
      );
      await rightPixels(page, 'recording', `the recording at ${part * 100}%`);
    }
    // The typed text led to its own line; its moment has no ink yet, the end has.
    const events = page.getByRole('region', { name: 'Events' });
    await events
      .getByText(/Hello, Vitrine! @#é/)
      .first()
      .click();
    await screenshot(page, 'real-player');
    await page.keyboard.press(']');
    await page.keyboard.press('k');
    await eventually(
      () => page.evaluate(() => document.querySelector('video').currentTime),
      (() => {
        let first;
        return (now) => now - (first ??= now) > 0.5;
      })(),
      'playing',
    );
  });

  assert.deepEqual(complaints, []);
  await context.close();
});

test('a session ended from another page says so', async () => {
  const { page, context, complaints } = await openPage(browser);
  await signIn(page, base, 'admin', password);
  await page.waitForURL('**/targets');
  await connect(page);
  const other = await context.newPage();
  watch(other, complaints);
  await other.goto(`${base}/sessions`);
  await other
    .getByRole('table', { name: 'Running sessions' })
    .getByRole('button', { name: 'Terminate' })
    .click();
  await screenshot(other, 'real-terminate');
  await other.getByRole('dialog').getByRole('button', { name: 'Terminate' }).click();
  await page.getByRole('heading', { name: 'The session has ended' }).waitFor();
  await screenshot(page, 'real-ended');
  await other.getByText('No session is running').waitFor();
  await screenshot(other, 'real-sessions');
  assert.deepEqual(complaints, []);
  await context.close();
});
