// The console in Chromium against the mock gateway: every page, every state, and the player, whose recordings
// the mock can break and grow at will.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually, launch, openPage, pixels, screenshot, signIn } from './browser.mjs';
import { start } from './process.mjs';

let mock;
let browser;
let base;

before(async () => {
  const server = fileURLToPath(new URL('../mock/server.mjs', import.meta.url));
  mock = await start(process.execPath, [server, '0'], /(http:\S+)/);
  base = mock.match[1];
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await mock?.stop();
});

/** The mock's session ids count from 1 in the order of mock/data.mjs. */
const id = (n) => `01JZ${String(n).padStart(22, '0')}`;
const running = id(1);
const frozen = id(3);
const sealed = id(4);
const broken = id(7);

/** Runs a test in a signed-in page and fails it for anything the page complained about. */
function inConsole(name, run, options) {
  test(name, async () => {
    const { page, context, complaints } = await openPage(browser, options);
    try {
      await signIn(page, base, 'admin', 'vitrine');
      await page.waitForURL('**/targets');
      await run(page, context);
      assert.deepEqual(complaints, []);
    } finally {
      await context.close();
    }
  });
}

test('signing in: refused, accepted, back to where one was going', async () => {
  const { page, context, complaints } = await openPage(browser);
  await page.goto(`${base}/recordings?from=mail`);
  await page.waitForURL('**/sign-in?next=*');
  await page.getByLabel('User name').fill('admin');
  await page.getByLabel('Password', { exact: true }).fill('wrong');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('wrong_credentials').waitFor();
  await screenshot(page, 'sign-in-refused');
  await page.getByLabel('Password', { exact: true }).fill('vitrine');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/recordings?from=mail');
  assert.deepEqual(complaints, []);
  await context.close();
});

inConsole('a sign-in that expires leads to the sign-in page and back', async (page, context) => {
  await page.getByRole('link', { name: 'Sessions' }).click();
  await page.getByRole('table', { name: 'Running sessions' }).waitFor();
  await context.clearCookies();
  await page.waitForURL('**/sign-in?next=%2Fsessions');
  await page.getByLabel('User name').fill('admin');
  await page.getByLabel('Password', { exact: true }).fill('vitrine');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/sessions');
});

inConsole('targets: search, tags, a target that refuses', async (page) => {
  const cards = page.getByRole('article');
  await cards.first().waitFor();
  assert.equal(await cards.count(), 6);
  await screenshot(page, 'targets');
  await page.getByRole('button', { name: 'production' }).click();
  const shown = (n) =>
    eventually(
      () => cards.count(),
      (count) => count === n,
      `${n} targets`,
    );
  await shown(3);
  await page.getByLabel('Search targets').fill('pinned ca');
  await shown(1);
  await page.getByLabel('Search targets').fill('nothing like it');
  await page.getByText('Nothing matches').waitFor();
  await page.getByLabel('Search targets').fill('');
  await page.getByRole('button', { name: 'Connect to Offline CA' }).click();
  await page.getByText('Reaching the target').waitFor();
  await screenshot(page, 'connecting');
  await page.getByRole('alert').getByText('target_certificate').waitFor();
  await screenshot(page, 'connecting-refused');
  await page.getByRole('button', { name: 'Back to the targets' }).click();
  await page.getByRole('heading', { name: 'Targets' }).waitFor();
});

inConsole('sessions: what runs, what ended, terminate after asking', async (page) => {
  await page.goto(`${base}/sessions`);
  const table = page.getByRole('table', { name: 'Running sessions' });
  await table.getByText('alice.meyer').waitFor();
  await page.getByText('The target closed the connection.').waitFor();
  await screenshot(page, 'sessions');
  await page.getByLabel('Search sessions').fill('historian');
  await eventually(
    () => table.getByRole('row').count(),
    (n) => n === 2,
    'rows that match',
  );
  await page.getByRole('button', { name: 'Terminate' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('bob.okafor loses the desktop').waitFor();
  await screenshot(page, 'terminate');
  await dialog.getByRole('button', { name: 'Terminate' }).click();
  await page.getByText('No running session matches').waitFor();
  await page.getByText('Terminated by admin.').waitFor();
});

inConsole('recordings: states, filter, verification good and bad', async (page) => {
  await page.goto(`${base}/recordings`);
  const rows = page.getByRole('table', { name: 'Recordings' }).getByRole('row');
  await page.getByText('Uploading, 7 files left').waitFor();
  await screenshot(page, 'recordings');
  await page.getByRole('combobox', { name: 'Filter by state' }).click();
  await page.getByRole('option', { name: 'Sealed' }).click();
  await eventually(
    () => rows.count(),
    (n) => n === 3,
    'sealed recordings and the head',
  );
  await page.getByRole('button', { name: 'Verify the recording of Demo desktop' }).click();
  await page.getByText('Whole and unaltered').waitFor();
  await screenshot(page, 'verified');
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click();
  await page.getByRole('button', { name: 'Verify the recording of Historian 02' }).click();
  await page.getByText('seg-000211.m4s: SHA-256 differs').waitFor();
});

inConsole('a page that is not there', async (page) => {
  await page.goto(`${base}/no/such/page`);
  await page.getByText('There is no such page').waitFor();
  await screenshot(page, 'not-found');
});

inConsole('an ended session says how it ended and leads on', async (page) => {
  await page.goto(`${base}/sessions/${sealed}`);
  await page.getByText('The session has ended').waitFor();
  await page.getByText('Ended by admin.').waitFor();
  await screenshot(page, 'ended');
  await page.getByRole('link', { name: 'View the recording' }).click();
  await page.waitForURL(`**/recordings/${sealed}`);
});

inConsole('a session nobody knows', async (page) => {
  await page.goto(`${base}/sessions/${id(999)}`);
  await page.getByRole('alert').getByText('session_not_found').waitFor();
});

test('a gateway that does not take the offer is asked again, and said to be', async () => {
  const { page, context } = await openPage(browser);
  await signIn(page, base, 'admin', 'vitrine', `/sessions/${frozen}`);
  await page.getByRole('heading', { name: 'Reconnecting' }).waitFor();
  await page.getByRole('alert').getByText('Start the real gateway to see one').waitFor();
  await screenshot(page, 'reconnecting');
  await page.getByText(/\(try [2-9]\)/).waitFor(); // by now perhaps more than two
  await context.close();
});

/** What the player's video shows, in numbers. */
function video(page) {
  return page.evaluate(() => {
    const v = document.querySelector('[data-testid=recording]');
    if (!v) return { readyState: 0 };
    const { currentTime, readyState, seeking, paused, videoWidth, playbackRate } = v;
    return { currentTime, readyState, seeking, paused, videoWidth, playbackRate };
  });
}

/** Clicks the time line where `seconds` of `total` are. */
async function clickTime(page, seconds, total) {
  const box = await page.getByRole('slider', { name: 'Position in the recording' }).boundingBox();
  await page.mouse.click(box.x + (box.width * seconds) / total, box.y + box.height - 10);
}

const at = (seconds) => (v) => Math.abs(v.currentTime - seconds) < 1 && v.readyState >= 2 && !v.seeking;

inConsole('player: seeks anywhere, also across sizes and into a long still', async (page) => {
  await page.goto(`${base}/recordings/${sealed}`);
  await eventually(
    () => video(page),
    (v) => v.readyState >= 2 && v.videoWidth === 1280,
    'first picture',
  );
  await page.getByText('systemctl status historian').waitFor();
  await screenshot(page, 'player');
  const digits = [[1180, 520]]; // a place the counting digit of the test picture changes
  assert.notEqual(await pixels(page, 'recording', digits), null);
  for (const seconds of [60, 15, 77, 3, 47.5, 30]) {
    await clickTime(page, seconds, 78);
    const width = seconds >= 48 ? 1024 : 1280; // Chromium tells a new size a moment after the end of the seek
    const there = (v) => at(seconds)(v) && v.videoWidth === width;
    const v = await eventually(() => video(page), there, `seek to ${seconds} s`);
    assert.equal(v.paused, true);
  }
});

inConsole('player: plays, skips idle time, steps, changes speed, ends', async (page) => {
  await page.goto(`${base}/recordings/${sealed}`);
  await eventually(
    () => video(page),
    (v) => v.readyState >= 2,
    'first picture',
  );
  await clickTime(page, 7.5, 78);
  await eventually(() => video(page), at(7.5), 'seek');
  await page.keyboard.press(' ');
  await eventually(
    () => video(page),
    (v) => v.currentTime > 21.4 && v.currentTime < 25,
    'jump over the idle time',
    6000,
  );
  await page.keyboard.press(' ');
  const before = await eventually(
    () => video(page),
    (v) => v.paused && !v.seeking,
    'pause',
  );
  await page.keyboard.press('.');
  // The next picture may begin a few milliseconds after the moment of the pause.
  const next = await eventually(
    () => video(page),
    (v) => v.currentTime > before.currentTime && !v.seeking,
    'next picture',
  );
  assert.ok(next.currentTime - before.currentTime < 0.25, 'one picture at 10 a second');
  await page.keyboard.press(',');
  await eventually(
    () => video(page),
    (v) => v.currentTime < next.currentTime - 0.05,
    'picture before',
  );
  for (let i = 0; i < 6; i++) await page.keyboard.press(']');
  await page.keyboard.press(' ');
  const fast = await eventually(
    () => video(page),
    (v) => v.playbackRate === 16,
    'rate',
  );
  assert.equal(fast.paused, false);
  await eventually(
    () => video(page),
    (v) => v.paused && v.currentTime > 77.9,
    'end of the recording',
    20_000,
  );
  await page.keyboard.press(' ');
  await eventually(
    () => video(page),
    (v) => !v.paused && v.currentTime < 70,
    'play from the start again',
  );
});

inConsole('player: events lead to their moment and can be searched', async (page) => {
  await page.goto(`${base}/recordings/${sealed}`);
  const events = page.getByRole('region', { name: 'Events' });
  await events.getByText('sudo systemctl restart historian').click();
  await eventually(() => video(page), at(33), 'the moment of the event');
  await events.getByLabel('Search events').fill('valve controller');
  await eventually(
    () => events.getByRole('button', { name: /Clipboard from the desktop/ }).count(),
    (n) => n === 1,
    'hit',
  );
  assert.equal(await events.getByText('Typed').count(), 0);
});

inConsole('player: a broken segment is named, and playing goes on after it', async (page) => {
  await page.goto(`${base}/recordings/${broken}`);
  await page.getByRole('alert').getByText('seg-000003.m4s').waitFor();
  await screenshot(page, 'player-broken-segment');
  await clickTime(page, 19, 78);
  await eventually(() => video(page), at(19), 'what lies before it');
  await page.keyboard.press('s');
  await page.keyboard.press(' ');
  await eventually(
    () => video(page),
    (v) => v.currentTime >= 48 && v.readyState >= 2,
    'the next sync segment',
  );
  await clickTime(page, 30, 78);
  await eventually(() => video(page), at(48), 'a seek into what cannot be decoded');
});

inConsole('player: follows a session that still runs', async (page) => {
  await page.goto(`${base}/recordings/${running}`);
  await eventually(
    () => video(page),
    (v) => v.readyState >= 2,
    'first picture',
  );
  await page.getByRole('button', { name: 'Go live' }).click();
  await page.getByRole('button', { name: 'Live', exact: true }).waitFor();
  const from = await eventually(
    () => video(page),
    (v) => v.currentTime > 16 && v.readyState >= 2 && !v.seeking,
    'the edge',
  );
  await eventually(
    () => video(page),
    (v) => v.currentTime > from.currentTime + 4 && v.readyState >= 2,
    'growth',
    12_000,
  );
  await screenshot(page, 'player-live');
});

inConsole(
  'on a small screen no page is wider than it',
  async (page) => {
    for (const path of ['/targets', '/sessions', '/recordings', `/recordings/${sealed}`]) {
      await page.goto(base + path);
      await page.getByRole('heading').first().waitFor();
      const [content, room] = await page.evaluate(async () => {
        await document.fonts.ready; // the browser's own are wider
        return [document.body.scrollWidth, window.innerWidth];
      });
      assert.ok(content <= room, `${path} is ${content} pixels wide in ${room}`);
      await screenshot(page, `small${path.replace(sealed, 'player').replaceAll('/', '-')}`);
    }
  },
  { viewport: { width: 390, height: 844 } },
);
