// What limits a running session, on the real binary and in a real Chromium: people see the end coming, count down with it, and read
// afterwards why it was. Limits are a minute at least, so all of them run out at once, each in a session of its own. A window that
// closes is in policy.test.mjs.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  addPolicy,
  call,
  connect,
  eventually,
  firstPicture,
  get,
  launch,
  newPerson,
  openPage,
  screenshot,
  signIn,
} from './browser.mjs';
import { startDemo } from './process.mjs';

let gateway;
let browser;
let base;
const windows = {};

/** What the one person whom a policy names may do. */
const only = (name) =>
  `permit (principal, action == Action::"connect", resource) when { principal has name && principal.name == "${name}" };`;

before(async () => {
  gateway = await startDemo();
  ({ base } = gateway);
  browser = await launch();
  const admin = await openPage(browser);
  windows.admin = admin;
  await signIn(admin.page, base, 'admin', gateway.password);
  await admin.page.waitForURL('**/targets');
  for (const [name, limit] of Object.entries({
    dora: '@max_duration("1m")',
    ida: '@idle_limit("1m")',
    ivo: '@idle_limit("1m")',
    conny: '@max_sessions("2")',
  })) {
    await addPolicy(admin.page, `limit-of-${name}`, `${limit} ${only(name)}`);
    windows[name] = await newPerson(browser, admin.page, base, name);
  }
});

after(async () => {
  await browser?.close();
  await gateway?.close();
});

const banner = (page, text) => page.getByRole('alert').filter({ hasText: text });

/** How many seconds a page says are left. */
async function left(page, text) {
  const [, minutes, seconds] = /Ends in (\d+):(\d\d)/.exec(await banner(page, text).textContent());
  return 60 * Number(minutes) + Number(seconds);
}

/** Waits until a page that counts down says why its session has ended. */
async function ends(page, code) {
  await page.getByRole('heading', { name: 'The session has ended' }).waitFor({ timeout: 90_000 });
  assert.equal(await page.getByText(code, { exact: true }).count(), 1, `${code} is the reason`);
  assert.equal(await page.getByText(/^Ends in/).count(), 0, 'nothing is counted down any more');
}

const longest = 'A session on this desktop lasts no longer.';
const idle = 'There was no input for a long time.';
const crowded = 'You may run no more than one session at a time.';

test('limits are counted down, and say why a session has ended', async (t) => {
  const { admin, dora, ida, ivo, conny } = windows;
  await connect(conny.page);
  // A second session fits; a third does not, and a limit that is lowered counts down the one that came last.
  const second = await conny.context.newPage();
  await second.goto(`${base}/targets`);
  const connys = await connect(second);
  const third = await conny.context.newPage();
  await third.goto(`${base}/targets`);
  await third.getByRole('button', { name: 'Connect to Demo desktop' }).click();
  await third.getByText('You have 2 sessions, and no more are allowed. End one first.').waitFor();
  await screenshot(third, 'limit-sessions');
  await third.close();
  const { revision } = await get(admin.page, '/policies/limit-of-conny');
  const lowered = `@max_sessions("1") ${only('conny')}`;
  const change = await call(admin.page, 'PUT', '/policies/limit-of-conny', { revision, text: lowered });
  assert.equal(change.status, 200, JSON.stringify(change.body));
  await banner(second, crowded).waitFor();

  const began = Date.now();
  const doras = await connect(dora.page);
  const idas = await connect(ida.page);
  await connect(ivo.page);

  await t.test('who watches and who has taken over counts down with the person', async () => {
    await banner(dora.page, longest).waitFor();
    await admin.page.goto(`${base}/sessions/${doras}?role=view`);
    await firstPicture(admin.page);
    await admin.page.getByRole('button', { name: 'Take control' }).click();
    await dora.page.getByText('admin has control').waitFor();
    const [hers, watched] = [await left(dora.page, longest), await left(admin.page, longest)];
    const should = 60 - (Date.now() - began) / 1000;
    for (const seconds of [hers, watched])
      assert.ok(Math.abs(seconds - should) < 10, `${seconds} s are left, not about ${should}`);
    await screenshot(dora.page, 'limit-duration');
  });

  const supervisor = await admin.context.newPage();
  await t.test('what a supervisor does keeps a session from being idle', async () => {
    await supervisor.goto(`${base}/sessions/${idas}?role=view`);
    await banner(ida.page, idle).waitFor({ timeout: 45_000 });
    await banner(ivo.page, idle).waitFor();
    assert.ok((await left(ida.page, idle)) <= 31);
    await screenshot(ida.page, 'limit-idle');
    await firstPicture(supervisor);
    await supervisor.keyboard.press('a'); // refused, and nobody’s input
    await supervisor.getByRole('button', { name: 'Take control' }).click();
    await ida.page.getByText('admin has control').waitFor();
    assert.ok(await banner(ida.page, idle).isVisible());
    await eventually(
      async () => {
        await supervisor.keyboard.press('a'); // the page may not know yet that it has control
        return banner(ida.page, idle).count();
      },
      (banners) => banners === 0,
      'nobody is idle any more',
    );
    assert.ok(await banner(ivo.page, idle).isVisible());
  });

  await Promise.all([
    ends(dora.page, 'max_duration'),
    ends(admin.page, 'max_duration'),
    ends(ivo.page, 'idle'),
    ends(second, 'session_limit'),
  ]);
  await screenshot(dora.page, 'limit-ended');
  // The others go on, and whose session it was may begin another.
  for (const page of [ida.page, conny.page])
    assert.equal(await page.getByRole('heading', { name: 'The session has ended' }).count(), 0);
  await dora.page.getByRole('button', { name: 'Connect again' }).click();
  await dora.page.waitForURL((url) => /\/sessions\//.test(url) && !url.pathname.endsWith(doras));
  await firstPicture(dora.page);

  const said = (await get(admin.page, `/recordings/${connys}/events?limit=5000`)).events
    .filter((e) => e.kind === 'ending')
    .map((e) => e.reason);
  assert.deepEqual(said, ['session_limit'], 'the recording says that it was announced');
  await eventually(
    async () => (await get(admin.page, `/sessions/${idas}`)).state,
    (state) => state === 'active',
    'the session that was worked in',
  );
  for (const w of Object.values(windows)) assert.deepEqual(w.complaints, []);
});
