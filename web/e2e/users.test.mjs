// From a gateway without users to several of them: the set-up page, users and what they see, tokens, sign-ins.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { launch, openPage, screenshot, signIn } from './browser.mjs';
import { start } from './process.mjs';

const password = 'correct horse battery';
let gateway;
let data;
let browser;
let base;
let code;
let admin;

before(async () => {
  data = mkdtempSync(join(tmpdir(), 'vitrine-users-'));
  const config = join(data, 'vitrine.yaml');
  writeFileSync(
    config,
    `data_dir: ${join(data, 'data')}\nhttp: {listen: "127.0.0.1:0"}\nmedia: {bind: 127.0.0.1}\n`,
  );
  const binary = resolve(process.env.VITRINE_BIN ?? '../bin/vitrine');
  gateway = await start(
    binary,
    ['serve', '--config', config],
    /Open (http\S+)\/setup[\s\S]*?\n +((?:[a-z0-9]{5}-?){4})\n/,
  );
  [, base, code] = gateway.match;
  browser = await launch();
});

after(async () => {
  await browser?.close();
  const exit = await gateway?.stop();
  if (data) rmSync(data, { recursive: true, force: true });
  assert.equal(exit, 0, `the gateway ended with ${exit}:\n${gateway.output()}`);
});

const answers = (page, path, headers = {}) =>
  page.evaluate(
    async ([p, h]) => (await fetch(`/api/v1${p}`, { headers: h, credentials: 'same-origin' })).status,
    [path, headers],
  );

test('the set-up page makes the first administrator', async () => {
  admin = await openPage(browser);
  const { page } = admin;
  await page.goto(base);
  await page.waitForURL('**/setup');
  const fill = async (given) => {
    await page.getByLabel('Set-up code').fill(given);
    await page.getByLabel('User name').fill('ada');
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByLabel('Password again').fill(password);
  };
  await fill('aaaaa-aaaaa-aaaaa-aaaaa');
  await page.getByRole('button', { name: 'Make administrator' }).click();
  await page.getByRole('alert').getByText('The code is not the one').waitFor();
  await screenshot(page, 'setup');
  await fill(code.toUpperCase());
  await page.getByRole('button', { name: 'Make administrator' }).click();
  await page.waitForURL('**/targets');
  assert.equal(await answers(page, '/users'), 200);
  // It works once, also for others.
  const stranger = await openPage(browser);
  await stranger.page.goto(`${base}/setup`);
  await stranger.page.waitForURL('**/sign-in');
  await stranger.context.close();
  assert.ok(!gateway.output().includes(password));
});

test('a user is made, chooses a password and sees less', async () => {
  const { page } = admin;
  await page.getByRole('button', { name: 'Administration' }).click();
  await page.getByRole('menuitem', { name: 'Groups' }).click();
  await page.getByText('No groups yet').waitFor();
  await page.getByRole('button', { name: 'New group' }).click();
  await page.getByLabel('Name').fill('Night shift');
  await page.getByRole('button', { name: 'Make group' }).click();
  await page.getByText('Nobody yet.').waitFor();

  await page.goto(`${base}/users`);
  await page.getByRole('button', { name: 'New user' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('User name').fill('bob');
  await dialog.getByLabel('Display name').fill('Bob Brown');
  await dialog
    .getByRole('combobox', { name: 'Groups' })
    .or(dialog.getByLabel('Groups').first())
    .first()
    .click();
  await page.getByRole('option', { name: 'Night shift' }).click();
  await page.keyboard.press('Escape');
  await screenshot(page, 'user-new');
  await dialog.getByRole('button', { name: 'Make user' }).click();
  const first = (await page.getByTestId('secret').textContent()).trim();
  assert.match(first, /^[a-z0-9]{20}$/);
  await screenshot(page, 'user-password');
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('row', { name: /bob.*Night shift/ }).waitFor();
  await screenshot(page, 'users');

  const bob = await openPage(browser);
  await signIn(bob.page, base, 'bob', first);
  await bob.page.getByRole('heading', { name: 'Choose a password' }).waitFor();
  assert.equal(await answers(bob.page, '/targets'), 403, 'nothing works before');
  await screenshot(bob.page, 'first-password');
  await bob.page.getByLabel('Current password').fill(first);
  await bob.page.getByLabel('New password', { exact: true }).fill('short');
  await bob.page.getByLabel('New password again').fill('short');
  await bob.page.getByRole('button', { name: 'Continue' }).click();
  await bob.page.getByText('at least 12 characters').waitFor();
  await bob.page.getByLabel('New password', { exact: true }).fill('my very own words');
  await bob.page.getByLabel('New password again').fill('my very own words');
  await bob.page.getByRole('button', { name: 'Continue' }).click();
  await bob.page.getByRole('link', { name: 'Targets' }).waitFor();
  assert.equal(await bob.page.getByRole('button', { name: 'Administration' }).count(), 0);
  assert.equal(await answers(bob.page, '/users'), 403);
  await bob.page.goto(`${base}/users`);
  await bob.page.getByRole('alert').waitFor();

  // Whoever revokes the sign-in ends it.
  await page.getByRole('link', { name: 'bob' }).click();
  await page
    .getByRole('button', { name: /End the sign-in of Chrome/ })
    .first()
    .waitFor();
  await screenshot(page, 'user');
  await page.getByRole('button', { name: 'End all' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'End them' }).click();
  await page.getByRole('region', { name: 'Sign-ins' }).getByText('None.').waitFor();
  await bob.page.goto(`${base}/account`);
  await bob.page.waitForURL('**/sign-in?**');
  assert.deepEqual(bob.complaints, []);
  await bob.context.close();
});

test('a token acts for its user until it is revoked', async () => {
  const { page, complaints } = admin;
  await page.goto(`${base}/account`);
  await page.getByRole('button', { name: 'New token' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('nightly report');
  await page.getByLabel('Replay recordings').check();
  await screenshot(page, 'token-new');
  await page.getByRole('button', { name: 'Make token' }).click();
  const token = (await page.getByTestId('secret').textContent()).trim();
  assert.match(token, /^vtr_[0-9A-Za-z]{49}$/);
  await page.getByRole('button', { name: 'Done' }).click();

  const call = async (path, init = {}) =>
    (
      await fetch(`${base}/api/v1${path}`, {
        ...init,
        headers: { Authorization: `Bearer ${token}`, ...init.headers },
      })
    ).status;
  assert.equal(await call('/recordings'), 200);
  assert.equal(await call('/users'), 403, 'outside its scopes');
  assert.equal(await call('/me/tokens', { method: 'POST' }), 403, 'a token makes no token');
  await page.reload();
  await page.getByRole('row', { name: /nightly report.*127\.0\.0\.1/ }).waitFor();
  await screenshot(page, 'account');
  await page.getByRole('button', { name: 'Revoke nightly report' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('region', { name: 'API tokens' }).getByText('None.').waitFor();
  assert.equal(await call('/recordings'), 401);
  assert.ok(!gateway.output().includes(token));
  assert.deepEqual(complaints, []);
});
