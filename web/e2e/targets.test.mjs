// Targets as people manage them: the real binary with its demo desktop, and a real Chromium.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { call, eventually, firstPicture, get, launch, openPage, screenshot, signIn } from './browser.mjs';
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

const field = (scope, name) => scope.getByRole('textbox', { name, exact: true });
const choice = (scope, name) => scope.getByLabel(name, { exact: true }).and(scope.locator('input'));
const cards = (page) => page.getByRole('article');

test('a target is added with two accounts, opened as one of them, changed, and removed', async () => {
  const { context, page, complaints } = await openPage(browser);
  await signIn(page, base, 'admin', password);
  await cards(page).first().waitFor();
  const [demo] = (await get(page, '/targets')).targets;

  await page.getByRole('link', { name: 'Add target' }).click();
  await field(page, 'Name').fill('Second desktop');
  assert.equal(await field(page, 'Id').inputValue(), 'second-desktop');
  await page.getByText('VNC', { exact: true }).click();
  await field(page, 'Address').fill(demo.address);
  await choice(page, 'Tags').fill('bench');
  await page.keyboard.press('Enter');
  await choice(page, 'How it proves who it is').click();
  await page.getByRole('option', { name: 'Not at all' }).click();
  await page.getByText('Anybody on the way').waitFor();
  await screenshot(page, 'target-new');
  await page.getByRole('button', { name: 'Add target' }).click();

  // The first account is asked for at once.
  const dialog = page.getByRole('dialog');
  await field(dialog, 'Name').fill('operator');
  await dialog.getByRole('textbox', { name: 'Password', exact: true }).fill('t0ps3cret-of-op');
  await screenshot(page, 'target-account');
  await dialog.getByRole('button', { name: 'Add account' }).click();
  await page.getByText('Sealed here').waitFor();
  await page.getByRole('button', { name: 'Add account' }).click();
  await field(dialog, 'Name').fill('guest');
  await choice(dialog, 'Its password is').click();
  await page.getByRole('option', { name: 'None' }).click();
  await dialog.getByRole('button', { name: 'Add account' }).click();
  await page.getByRole('row', { name: /guest/ }).waitFor();
  await dialog.waitFor({ state: 'hidden' });

  // Another password, which no answer ever holds.
  await page.getByRole('button', { name: 'Set the password of operator' }).click();
  await dialog.getByRole('textbox', { name: 'Password', exact: true }).fill('an0ther-of-op');
  await screenshot(page, 'target-credential');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.waitFor({ state: 'hidden' });
  const shown = JSON.stringify(await get(page, '/targets/second-desktop'));
  assert.match(shown, /"kind":"stored"/);
  assert.doesNotMatch(shown, /t0ps3cret|an0ther/);

  // Its settings, and what somebody else changed meanwhile.
  await field(page, 'Description').fill('At the bench');
  await page.getByRole('button', { name: 'Save' }).click();
  await eventually(
    () => get(page, '/targets/second-desktop'),
    (t) => t.description === 'At the bench',
    'the description is saved',
  );
  await screenshot(page, 'target-edit');
  const { revision, settings } = await get(page, '/targets/second-desktop');
  await call(page, 'PUT', '/targets/second-desktop', {
    revision,
    settings: { ...settings, name: 'Renamed desktop' },
  });
  await field(page, 'Description').fill('Too late');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('alert').getByText('stale').waitFor();
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('heading', { name: 'Renamed desktop' }).waitFor();

  // Which account, the button asks.
  await page.getByRole('link', { name: 'All targets' }).click();
  await page.getByRole('button', { name: 'Connect to Renamed desktop' }).click();
  await screenshot(page, 'target-connect-as');
  await page.getByRole('menuitem', { name: 'guest' }).click();
  const session = await get(page, `/sessions/${await firstPicture(page)}`);
  assert.equal(session.account.name, 'guest');

  await page.goto(`${base}/targets/second-desktop`);
  await page.getByRole('button', { name: 'Remove target' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await page.waitForURL('**/targets');
  await page.getByRole('heading', { name: 'Demo desktop' }).waitFor();
  assert.equal((await get(page, '/targets/second-desktop')).code, 'target_not_found');

  // What is in the configuration file can be looked at only.
  await page.goto(`${base}/targets/demo`);
  await page.getByText('only that changes it').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Save' }).count(), 0);
  assert.ok(await field(page, 'Name').isDisabled());
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a file is imported after a look at what changes; many targets are searched and paged', async () => {
  const { context, page, complaints } = await openPage(browser);
  await signIn(page, base, 'admin', password);
  await page.getByRole('button', { name: 'Import' }).click();
  const dialog = page.getByRole('dialog');
  const documents = Array.from(
    { length: 150 },
    (_, i) =>
      `{kind: Target, id: bulk-${i}, name: Bulk ${String(i).padStart(3, '0')}, protocol: vnc, address: "10.9.0.${i}:5900", ` +
      `tags: [${i % 2 ? 'odd' : 'even'}], accounts: [{name: op, credential: {password: s3cret-of-bulk}}]}`,
  );
  await dialog.getByRole('textbox').fill('kind: Target\nid: x\nadress: y');
  await dialog.getByRole('button', { name: 'Show what changes' }).click();
  await dialog.getByText('adress: is not known here').waitFor();
  await screenshot(page, 'import-wrong');
  await dialog.getByRole('textbox').fill(documents.join('\n---\n'));
  await dialog.getByRole('button', { name: 'Show what changes' }).click();
  await dialog.getByText('bulk-149').first().waitFor();
  assert.doesNotMatch(await dialog.innerText(), /s3cret/);
  await screenshot(page, 'import-plan');
  await dialog.getByRole('button', { name: 'Apply 150 changes' }).click();
  await dialog.waitFor({ state: 'hidden' });

  await page.getByRole('heading', { name: 'Bulk 000' }).waitFor();
  await screenshot(page, 'targets-many');
  const count = (n, what) =>
    eventually(
      () => cards(page).count(),
      (seen) => seen === n,
      what,
    );
  await page.getByLabel('Search targets').fill('bulk 149');
  await count(1, 'one is found that was not on the first page');
  await page.getByLabel('Search targets').fill('bulk');
  await page.getByRole('button', { name: 'odd', exact: true }).click();
  await eventually(
    async () => {
      await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
      return cards(page).count();
    },
    (seen) => seen === 75,
    'all odd ones come as one scrolls',
  );
  await page.getByLabel('Search targets').fill('nothing like it');
  await page.getByText('Nothing matches').waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});
