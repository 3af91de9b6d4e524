// Policies, on the real binary and in a real Chromium: written with an error, mended, saved, explained; and a window that
// closes on a running session, which people see coming.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  addPolicy,
  call,
  distance,
  eventually,
  firstPicture,
  launch,
  openPage,
  pixels,
  screenshot,
  signIn,
} from './browser.mjs';
import { swatches } from './demo-scene.mjs';
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

/** A signed-in browser of its own. */
async function open() {
  const { page, complaints, context } = await openPage(browser);
  await signIn(page, base, 'admin', password);
  await page.getByRole('heading', { name: 'Targets' }).waitFor();
  return { page, complaints, context };
}

async function write(page, { name, text }) {
  await page.goto(`${base}/policies/new`);
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Text').fill(text);
}

test('a policy is written, checked, mended, saved and explained', async () => {
  const { page, complaints, context } = await open();
  await page.getByRole('button', { name: 'Administration' }).click();
  await page.getByRole('menuitem', { name: 'Policies' }).click();
  await page.getByText('Administrators may do everything').waitFor();
  await screenshot(page, 'policies');

  const wrong =
    '// At night nobody connects.\nforbid (principal, action == Action::"conect", resource)\nwhen { context.minuts < 360 };\n';
  await write(page, { name: 'No nights', text: wrong });
  await page.getByText('unrecognized action').waitFor();
  assert.equal(await page.getByRole('textbox', { name: 'Id' }).inputValue(), 'no-nights');
  assert.ok(await page.getByRole('button', { name: 'Save' }).isDisabled());
  await screenshot(page, 'policy-error');
  // A finding leads to its place.
  await page.getByRole('list', { name: 'Findings' }).getByRole('button').first().click();
  const line = await page.evaluate(() => {
    const area = document.activeElement;
    return area.value.slice(0, area.selectionStart).split('\n').length;
  });
  assert.equal(line, 2);

  await page.getByLabel('Text').fill(wrong.replace('conect', 'connect').replace('minuts', 'minutes'));
  await page.getByText('Nothing is wrong with the text.').waitFor();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.waitForURL('**/policies/no-nights');
  await page.getByText('Saved.').waitFor();
  await page.getByText('History', { exact: true }).click();
  await screenshot(page, 'policy-saved');

  await page.goto(`${base}/policies/explain`);
  await page.getByLabel('Target', { exact: true }).fill('demo');
  await page.getByLabel('When').fill('2026-03-02T03:00');
  await page.getByRole('button', { name: 'Explain', exact: true }).click();
  const answer = page.getByRole('region', { name: 'Answer' });
  await answer.getByText('No', { exact: true }).waitFor();
  await answer.locator('[data-statement="no-nights"]').getByText('Decided').waitFor();
  await answer.locator('[data-statement="administrators"]').getByText('Overruled by a forbid').waitFor();
  await screenshot(page, 'policy-explain');
  await page.getByLabel('When').fill('2026-03-02T09:00');
  await page.getByRole('button', { name: 'Explain', exact: true }).click();
  await answer.getByText('Yes', { exact: true }).waitFor();
  await answer.locator('[data-statement="no-nights"]').getByText('context.minutes < 360').first().waitFor();

  // Out of force with a switch; and never so that nobody could manage policies.
  await page.goto(`${base}/policies`);
  await page.getByRole('switch', { name: 'No nights: in force' }).click({ force: true });
  await eventually(
    () => page.getByRole('switch', { name: 'No nights: in force' }).isChecked(),
    (on) => on === false,
    'the switch is off',
  );
  await page
    .getByRole('switch', { name: 'Administrators may do everything: in force' })
    .click({ force: true });
  await page.getByText('no administrator could manage policies').waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a window that closes is counted down, and ends the session', async () => {
  const { page, complaints, context } = await open();
  const marked =
    '@watermark("on") @reason("required") permit (principal, action == Action::"connect", resource);';
  await addPolicy(page, 'marked', marked);
  await page.getByRole('button', { name: 'Connect to Demo desktop' }).click();
  await page.getByLabel('Reason').fill('the disk is full');
  await screenshot(page, 'reason');
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await firstPicture(page);
  // The mark is in the picture itself, exact pixels and video alike: what is flat on the desktop is no more.
  const flat = [];
  for (let y = 120; y <= 152; y += 2)
    for (let x = 670; x <= 706; x += 2) for (let i = 0; i < 5; i++) flat.push([x + 72 * i, y]);
  const colours = swatches.map((s) => s.colour);
  await eventually(
    () => pixels(page, 'desktop', flat),
    (seen) => {
      const apart = seen.map((c, i) => distance(c, colours[i % 5]));
      return (
        apart.some((d) => d >= 12) &&
        apart.every((d) => d <= 60) &&
        apart.filter((d) => d <= 4).length > flat.length / 3
      );
    },
    'the watermark in the picture',
  );
  const until = Math.floor(Date.now() / 1000) + 40;
  const text = (at) =>
    `forbid (principal, action == Action::"connect", resource) unless { context.time < ${at} };`;
  const made = await addPolicy(page, 'window', text(until));
  const banner = page
    .getByRole('alert')
    .filter({ hasText: 'The time this desktop may be used is nearly over.' });
  await banner.waitFor();
  assert.match(await banner.textContent(), /Ends in 0:[34]\d/);
  await screenshot(page, 'ending');

  // The reason goes away, and so does the warning.
  const wider = await call(page, 'PUT', '/policies/window', {
    revision: made.revision,
    text: text(until + 3600),
  });
  assert.equal(wider.status, 200);
  await banner.waitFor({ state: 'detached' });

  const soon = Math.floor(Date.now() / 1000) + 5;
  await call(page, 'PUT', '/policies/window', { revision: wider.body.revision, text: text(soon) });
  await banner.waitFor();
  await page.getByText('The session has ended').waitFor();
  await page.getByText('window_closed').waitFor();
  await screenshot(page, 'ended');
  assert.deepEqual(complaints, []);
  await context.close();
});
