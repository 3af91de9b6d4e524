// Reviewing a real recording of a real session: what was copied and typed is found over all recordings and in the player, the hit leads
// to the picture of its moment, a running session is rewound and caught up with, and notes and the review state stay.
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
} from './browser.mjs';
import * as scene from './demo-scene.mjs';
import { startDemo } from './process.mjs';

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

/** Waits until the player shows the picture of its time. */
const settled = (page) =>
  eventually(
    () =>
      page.evaluate(() => {
        const video = document.querySelector('video');
        return video !== null && !video.seeking && video.readyState >= 2;
      }),
    (ready) => ready,
    'the picture of the moment',
  );

const lamp = async (page, testId) => (await pixels(page, testId, [scene.button.lamp]))?.[0] ?? null;
const lit = (colour) => colour !== null && distance(colour, scene.button.lit) <= 14;

test('a recording is searched, rewound, noted and reviewed', async (t) => {
  const { page, context, complaints } = await openPage(browser, {
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  await signIn(page, gateway.base, 'admin', gateway.password);
  const session = await connect(page);

  // The lamp is dark; text crosses the glass; the lamp is lit; other text crosses.
  const field = await place(page, scene.field.at);
  await page.mouse.click(...field);
  await page.evaluate(() => navigator.clipboard.writeText('cat /etc/shadow | Tee-Object DARK.txt'));
  await page.keyboard.press('Control+v');
  const events = async () => (await get(page, `/recordings/${session}/events?limit=5000`)).events;
  const crossed = (text) =>
    eventually(
      events,
      (list) => list.some((e) => e.kind === 'clipboard' && e.text.includes(text)),
      `${text} in the log`,
    );
  await crossed('DARK');
  await new Promise((resolve) => setTimeout(resolve, 1500)); // what is recorded lasts a while
  await page.mouse.click(...(await place(page, scene.button.at)));
  await eventually(() => lamp(page, 'desktop'), lit, 'the lamp');
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await page.mouse.click(...field);
  await page.keyboard.type('after the LAMPS');
  await page.keyboard.press('Backspace'); // a line is what was meant in the end
  await page.keyboard.type(' was lit');
  await page.keyboard.press('Enter');
  await eventually(
    events,
    (list) => list.some((e) => e.kind === 'key' && e.key === 'Return' && e.down === false),
    'the line in the log',
  );

  const replay = await context.newPage();
  await t.test('a running session is rewound, and caught up with', async () => {
    await replay.goto(`${gateway.base}/recordings/${session}?t=0`);
    await eventually(
      () => lamp(replay, 'recording'),
      (colour) => colour !== null && !lit(colour),
      'the dark lamp at the start',
    );
    const live = replay.getByRole('button', { name: /^Go live/ });
    assert.match(await live.textContent(), /\d+ s behind/);
    await replay.keyboard.press('l');
    await replay.getByRole('button', { name: 'Live', exact: true }).waitFor();
    await eventually(() => lamp(replay, 'recording'), lit, 'the lamp as it is now');
    // What happens meanwhile is shown a moment later.
    await page.mouse.click(...(await place(page, scene.button.at)));
    await eventually(
      () => lamp(replay, 'recording'),
      (colour) => colour !== null && !lit(colour),
      'the lamp going out',
      15_000,
    );
    await replay.close();
  });

  await page.getByRole('button', { name: 'Disconnect' }).click();
  await page.getByRole('button', { name: 'End the session' }).click();
  await page.waitForURL('**/targets');
  await eventually(
    () => get(page, `/recordings/${session}`),
    (r) => r.state === 'sealed',
    'a sealed recording',
  );

  await t.test('a search over all recordings leads to the moment', async () => {
    await page.goto(`${gateway.base}/recordings/search`);
    await page.getByLabel('Look for').fill('/ETC/sha');
    const hit = page.getByRole('link').filter({ hasText: 'Tee-Object' }).filter({ hasText: 'Clipboard' });
    await hit.waitFor();
    assert.equal(await hit.locator('mark').textContent(), '/etc/sha');
    await screenshot(page, 'player-search');
    await hit.click();
    await page.waitForURL(`**/recordings/${session}?t=*`);
    await settled(page);
    const at = await page.evaluate(() => document.querySelector('video').currentTime);
    const dark = (await get(page, `/recordings/${session}/events?limit=5000`)).events.find((e) =>
      e.text?.includes('DARK'),
    );
    assert.ok(Math.abs(at - dark.t_us / 1e6) < 0.1, `shows ${at} s, not ${dark.t_us / 1e6} s`);
    assert.ok(!lit(await lamp(page, 'recording')), 'the lamp was dark then');
  });

  await t.test('in the player, from hit to hit', async () => {
    const text = page.getByRole('searchbox', { name: 'Search in this recording' });
    await text.fill('lamp was');
    await page.getByRole('list', { name: 'Hits' }).getByRole('button').filter({ hasText: 'LAMP' }).waitFor();
    await text.press('Enter');
    await settled(page);
    await eventually(() => lamp(page, 'recording'), lit, 'the lit lamp at the hit');
    await screenshot(page, 'player-hit');
  });

  await t.test('the timeline shows what happened, and zooms', async () => {
    const line = await get(page, `/recordings/${session}/timeline`);
    assert.ok(
      line.keys.some((n) => n > 0) && line.pointer.some((n) => n > 0) && line.picture.some((n) => n > 0),
    );
    assert.ok(line.markers.some((m) => m.kind === 'clipboard' && m.text.includes('DARK')));
    const slider = page.getByRole('slider', { name: 'Position in the recording' });
    await slider.focus();
    await page.keyboard.press('Home');
    const [first] = (await get(page, `/recordings/${session}/index`)).segments;
    await eventually(
      () => slider.getAttribute('aria-valuenow'),
      (v) => Number(v) === Math.round(first.start_ms / 1000), // the first picture may be a while after the recording's beginning
      'the first picture',
    );
    await slider.hover({ position: { x: 500, y: 45 } });
    await page.locator('img[src*="/thumbnail?at="]').waitFor();
    await screenshot(page, 'player-preview');
    await page.keyboard.press('m');
    await settled(page);
    assert.ok((await page.evaluate(() => document.querySelector('video').currentTime)) > 0);
  });

  await t.test('notes and the review state stay', async () => {
    await page.keyboard.press('w');
    await page.getByLabel('Write a note').fill('Who asked for this?');
    await page.getByRole('button', { name: /^Add note at/ }).click();
    await page
      .getByRole('article', { name: /^Note at/ })
      .getByText('Who asked for this?')
      .waitFor();
    await page.getByRole('group', { name: 'Review state' }).getByRole('button', { name: 'Flagged' }).click();
    await page
      .getByText(/^admin, Today/)
      .first()
      .waitFor();
    await screenshot(page, 'player-review');
    await page.reload();
    await page.getByText('Review (1)').click();
    await page.getByText('Who asked for this?').waitFor();
    await page.getByRole('button', { name: /^Note of admin at/ }).waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys of the player' }).waitFor();
    await screenshot(page, 'player-keys');
    await page.keyboard.press('Escape');
    await page.goto(`${gateway.base}/recordings?review=flagged`);
    const row = page
      .getByRole('table', { name: 'Recordings' })
      .getByRole('row')
      .filter({ hasText: 'Demo desktop' });
    await row.getByText('Flagged').waitFor();
    await page.goto(`${gateway.base}/recordings?review=to_do`);
    await page.getByText('Nothing matches').waitFor();
    const entries = (await get(page, '/audit/entries?limit=100')).entries.map((e) => e.action);
    for (const act of ['search_recordings', 'create_recording_note', 'set_recording_review'])
      assert.ok(entries.includes(act), `${act} is in the audit log`);
  });

  assert.deepEqual(complaints, []);
  await context.close();
});
