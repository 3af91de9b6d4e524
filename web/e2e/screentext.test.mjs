// Text on the screen of a session whose policy wants it read: it is found by a search over all recordings, and the hit leads to the
// moment it was seen. A session without that policy is not read.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, launch, openPage, pixels, place, screenshot, signIn } from './browser.mjs';
import * as scene from './demo-scene.mjs';
import { startDemo } from './process.mjs';

/** Reading has the lowest priority: beside other tests it takes its time. */
const patience = 120_000;

let gateway;
let browser;

before(async () => {
  gateway = await startDemo();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await gateway?.close();
});

const api = (page, path) => page.evaluate(async (p) => (await fetch(`/api/v1${p}`)).json(), path);

const send = (page, method, path, body) =>
  page.evaluate(
    async ([m, p, b]) =>
      (
        await fetch(`/api/v1${p}`, {
          method: m,
          headers: { 'Content-Type': 'application/json' },
          ...(b ? { body: JSON.stringify(b) } : {}),
        })
      ).status,
    [method, path, body],
  );

/**
 * A session with the demo desktop in which words are typed into the field once `first` is there; what was read is looked for until
 * good.
 */
async function write(page, words, good, first = () => true) {
  await page.goto(`${gateway.base}/targets`);
  await page.getByRole('button', { name: 'Connect to Demo desktop' }).click();
  await page.waitForURL('**/sessions/*');
  const session = new URL(page.url()).pathname.split('/').at(-1);
  await eventually(
    () => pixels(page, 'desktop', [scene.button.lamp]),
    (colours) => colours !== null,
    'the first picture',
  );
  const events = async () => (await api(page, `/recordings/${session}/events?limit=5000`)).events;
  await eventually(events, first, 'before the words are typed', patience);
  await page.mouse.click(...(await place(page, scene.field.at)));
  await page.keyboard.press('Control+a');
  await page.keyboard.type(words);
  await eventually(events, good, words, patience);
  await page.getByRole('button', { name: 'Disconnect' }).click();
  await page.getByRole('button', { name: 'End the session' }).click();
  await page.waitForURL('**/targets');
  await eventually(
    () => api(page, `/recordings/${session}`),
    (r) => r.state === 'sealed',
    'a sealed recording',
    30_000,
  );
  return { session, events: await events() };
}

test('text on the screen is read by policy, found, and leads to its moment', async () => {
  const { page, context, complaints } = await openPage(browser);
  await signIn(page, gateway.base, 'admin', gateway.password);
  await page.getByRole('button', { name: 'Connect to Demo desktop' }).waitFor();

  const plain = await write(page, 'nobody reads this', (list) =>
    list.some((e) => e.kind === 'key' && e.key === 's'),
  );
  assert.deepEqual(
    plain.events.filter((e) => e.kind.startsWith('screen')),
    [],
    'read without a policy',
  );

  const text = '@ocr("on") permit (principal, action == Action::"connect", resource);';
  assert.equal(await send(page, 'POST', '/policies', { id: 'read', name: 'Screens are read', text }), 201);
  const isIt = (e) => e.kind === 'screen' && /harbour/i.test(e.text);
  const { session, events } = await write(
    page,
    'the harbour master wrote',
    (list) => list.some(isIt),
    (list) => list.some((e) => e.kind === 'screen'), // what is typed is then a change of its own
  );
  const seen = events.find(isIt);

  await page.goto(`${gateway.base}/recordings/search`);
  await page.getByLabel('Look for').fill('harbour');
  const hit = page.getByRole('link').filter({ hasText: 'Text on the screen' }).first();
  await hit.waitFor({ timeout: 30_000 });
  await screenshot(page, 'screentext-search');
  await hit.click();
  await page.waitForURL(`**/recordings/${session}?t=*`);
  await eventually(
    () =>
      page.evaluate(() => {
        const video = document.querySelector('video');
        return video !== null && !video.seeking && video.readyState >= 2 ? video.currentTime : null;
      }),
    (at) => at !== null && Math.abs(at - seen.shown_us / 1e6) < 0.2,
    'the picture of the moment',
  );
  await page.getByText('Events', { exact: true }).click();
  await page.getByLabel('Search events').fill('harbour');
  await page.getByRole('region', { name: 'Events' }).getByText('On the screen').first().waitFor();
  await screenshot(page, 'screentext-player');
  assert.deepEqual(complaints, []);
  await context.close();
});
