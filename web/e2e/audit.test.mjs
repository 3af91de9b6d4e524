// The audit log as a reviewer sees it: the real binary and a real Chromium. What was done is there, is proved in the
// browser, verified by the gateway, and reported as a table and as CSV; what was altered in the database is found.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { launch, openPage, signIn } from './browser.mjs';
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

test('acts are in the log, proved, verified and reported', async () => {
  const { context, page, complaints } = await openPage(browser, { acceptDownloads: true });
  await signIn(page, base, 'admin', password);
  await page.getByRole('button', { name: 'Administration' }).waitFor();
  const created = await page.request.post(`${base}/api/v1/sessions`, { data: { target_id: 'demo' } });
  assert.equal(created.status(), 201);
  const { id } = await created.json();
  const ended = await page.request.post(`${base}/api/v1/sessions/${id}/terminate`, {
    data: { reason: 'the test is over' },
  });
  assert.equal(ended.status(), 204);

  await page.getByRole('button', { name: 'Administration' }).click();
  await page.getByRole('menuitem', { name: 'Audit log' }).click();
  const log = page.getByRole('table', { name: 'Audit log' });
  await log.getByRole('button', { name: 'Terminate session' }).waitFor();

  // Filters are in the address, so that a view can be passed on.
  await page.getByLabel('Action').fill('terminate session');
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1);
  assert.match(page.url(), /action=terminate/);
  await page.getByRole('button', { name: 'Clear' }).click();

  // The very first entry is under the first checkpoint; the browser computes its way to the signed hash.
  await log.getByRole('button', { name: 'Audit log created' }).focus();
  await page.keyboard.press('Enter');
  const drawer = page.getByRole('dialog', { name: 'Entry 0' });
  await drawer.getByText(/^Verified in the log at the checkpoint of \d+ entries/).waitFor();
  await page.keyboard.press('Escape');
  await drawer.waitFor({ state: 'detached' });

  await page.getByRole('button', { name: 'Verify the log' }).click();
  await page.getByText(/^As it was signed: \d+ entries/).waitFor();

  // A gateway that answers with another text than was hashed is found out by the browser.
  await page.route('**/api/v1/audit/entries?*', async (route) => {
    const answer = await route.fetch();
    const body = await answer.text();
    await route.fulfill({
      response: answer,
      body: body.replaceAll('audit_log_created', 'audit_log_altered'),
    });
  });
  await page.reload();
  await log.getByRole('button', { name: 'Audit log altered' }).click();
  await page.getByText('this entry is not what was written', { exact: false }).waitFor();
  await page.unroute('**/api/v1/audit/entries?*');
  await page.keyboard.press('Escape');

  await page.getByRole('button', { name: 'Administration' }).click();
  await page.getByRole('menuitem', { name: 'Access report' }).click();
  const report = page.getByRole('table', { name: 'Access report' });
  await report.getByRole('cell', { name: 'Demo desktop' }).waitFor();
  await page.getByLabel('User', { exact: true }).fill('nobody');
  await page.getByText('Nothing matches').waitFor();
  await page.getByRole('button', { name: 'Clear' }).click();
  await report.waitFor();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Export as CSV' }).click(),
  ]);
  const csv = readFileSync(await download.path(), 'utf8').split('\r\n');
  assert.match(csv[0], /^session,user,target_id,/);
  assert.ok(csv[1].startsWith(`${id},admin,demo,`), csv[1]);
  assert.match(csv[1], /user_disconnected/);
  assert.deepEqual(complaints, []);
  await context.close();
});
