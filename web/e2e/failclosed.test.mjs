// No session begins that could not be recorded: what people see of it, in the real console.
import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { aliceConnects, launch, openPage, screenshot, signIn } from './browser.mjs';
import { startDemo } from './process.mjs';

let demo;
let browser;

before(async () => {
  demo = await startDemo();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await demo?.close();
});

test('without the signing key no session begins, and everybody is told; the one that runs goes on', async () => {
  const admin = await openPage(browser);
  await signIn(admin.page, demo.base, 'admin', demo.password);
  await admin.page.waitForURL('**/targets');
  const alice = await aliceConnects(browser, admin.page, demo.base);
  await alice.page.locator('video').first().waitFor();

  const key = join(demo.data, 'evidence.key');
  renameSync(key, `${key}.gone`);
  // Who wants to connect reads that it cannot be, and who manages the gateway why.
  await admin.page.getByRole('button', { name: 'Connect to Demo desktop' }).click();
  await admin.page.getByText('cannot sign recordings now, so no session may begin').waitFor();
  await screenshot(admin.page, 'failclosed-refused');
  await admin.page.goto(`${demo.base}/system`);
  await admin.page.getByRole('alert').getByText('No session can begin: Signing key.').waitFor();
  const row = admin.page.getByRole('row', { name: /Signing key/ });
  await row.getByText('No session begins').waitFor();
  await row.getByText('evidence.key').last().waitFor();
  await admin.page
    .getByRole('row', { name: /Keys of recordings/ })
    .getByText('In order')
    .waitFor();
  await screenshot(admin.page, 'failclosed-system');

  const another = await alice.context.newPage();
  await another.goto(`${demo.base}/targets`);
  assert.equal(await another.getByText('No session can begin').count(), 0, 'it is no business of alice why');
  await another.getByRole('button', { name: 'Connect to Demo desktop' }).click();
  await another.getByText('cannot sign recordings now, so no session may begin').waitFor();
  await screenshot(another, 'failclosed-user');
  assert.ok(alice.page.url().includes('/sessions/'), 'her session goes on');
  await alice.page.locator('video').first().waitFor();

  renameSync(`${key}.gone`, key);
  await admin.page.getByRole('alert').waitFor({ state: 'detached', timeout: 30_000 });
  await row.getByText('In order').waitFor();
  await screenshot(admin.page, 'system');
  await another.goto(`${demo.base}/targets`);
  await another.getByRole('button', { name: 'Connect to Demo desktop' }).click();
  await another.waitForURL('**/sessions/*');
  assert.deepEqual([...admin.complaints, ...alice.complaints], []);
});
