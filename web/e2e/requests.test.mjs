// Access from the asking to the end of the session, between people in windows of their own: the real binary, real Chromium.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { call, firstPicture, launch, newPerson, openPage, screenshot, signIn } from './browser.mjs';
import { startDemo } from './process.mjs';

const people = { ann: ['user'], sue: ['supervisor'], sid: ['supervisor', 'user'] };

let gateway;
let browser;
let base;
const windows = {};

before(async () => {
  gateway = await startDemo();
  ({ base } = gateway);
  browser = await launch();
  windows.admin = await openPage(browser);
  const { page } = windows.admin;
  await signIn(page, base, 'admin', gateway.password);
  await page.waitForURL('**/targets');
  for (const [name, roles] of Object.entries(people))
    windows[name] = await newPerson(browser, page, base, name, roles);
});

after(async () => {
  await browser?.close();
  await gateway?.close();
});

/** ann asks, by the form at the target's card; returns the request's id. */
async function ask(reason) {
  const { page } = windows.ann;
  await page.goto(`${base}/targets`);
  await page.getByRole('button', { name: 'Ask for access to Demo desktop' }).click();
  await page.getByLabel('Reason').fill('short');
  assert.equal(await page.getByRole('button', { name: 'Ask for access', exact: true }).isDisabled(), true);
  await page.getByLabel('Reason').fill(reason);
  await page.getByRole('button', { name: 'Ask for access', exact: true }).click();
  await page.waitForURL('**/access/*');
  await page.getByText('Those who may decide were told').waitFor();
  return new URL(page.url()).pathname.split('/').at(-1);
}

test('ask, approve by another, connect, end early', async (t) => {
  const { ann, sue } = windows;
  const id = await ask('Replace the certificate of the build host');
  await screenshot(ann.page, 'real-access-waiting');

  await t.test('the requester decides nothing, others see nothing', async () => {
    const own = await call(ann.page, 'POST', `/access-requests/${id}/approve`, { revision: 1 });
    assert.deepEqual([own.status, own.body.code], [403, 'own_request']);
    assert.equal(await ann.page.getByRole('link', { name: 'Requests' }).count(), 0);
    const connect = await call(ann.page, 'POST', '/sessions', { target_id: 'demo' });
    assert.deepEqual([connect.status, connect.body.code], [403, 'approval_needed']);
  });

  await t.test('the bell tells who may decide', async () => {
    await sue.page.getByRole('button', { name: 'Notifications, 1 unread' }).click();
    await screenshot(sue.page, 'real-bell');
    await sue.page.getByRole('link', { name: /ann asks for access/ }).click();
    await sue.page.waitForURL(`**/requests/${id}`);
    await sue.page.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
    await sue.page.getByText('30 min', { exact: true }).click();
    await sue.page.getByLabel('A word about it').fill('Be quick.');
    await screenshot(sue.page, 'real-approve');
    await sue.page.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
    await sue.page.getByRole('table', { name: 'Access others have' }).waitFor();
  });

  await t.test('the requester sees it at once and connects', async () => {
    await ann.page.getByText('Be quick.').waitFor();
    await ann.page.getByRole('button', { name: 'Close', exact: true }).last().click();
    const card = ann.page.getByRole('article', { name: 'Access to Demo desktop' });
    await card.getByText(/^(30:00|29:\d\d)$/).waitFor();
    await screenshot(ann.page, 'real-access');
    await card.getByRole('button', { name: 'Connect to Demo desktop' }).click();
    await firstPicture(ann.page);
  });

  await t.test('ended early by the approver, the session ends', async () => {
    await sue.page.getByRole('button', { name: 'End early' }).click();
    await sue.page.getByLabel('A word about it').fill('Enough.');
    await screenshot(sue.page, 'real-end-early');
    await sue.page.getByRole('button', { name: 'End the access' }).click();
    await ann.page.getByRole('heading', { name: 'The session has ended' }).waitFor({ timeout: 30_000 });
    await screenshot(ann.page, 'real-access-ended');
    const again = await call(ann.page, 'POST', '/sessions', { target_id: 'demo' });
    assert.deepEqual([again.status, again.body.code], [403, 'approval_needed']);
  });
  for (const w of [ann, sue]) assert.deepEqual(w.complaints, []);
});

test('denied with a note; a stale decision is refused', async () => {
  const { ann, sue, sid } = windows;
  const id = await ask('Look at the logs of last night');
  await sid.page.goto(`${base}/requests`);
  const card = sid.page.getByRole('article', { name: 'ann for Demo desktop' });
  await card.getByRole('button', { name: 'Deny' }).click();
  const dialog = sid.page.getByRole('dialog');
  assert.equal(await dialog.getByRole('button', { name: 'Deny' }).isDisabled(), true, 'a no needs a word');
  await dialog.getByLabel('Why not').fill('They are in the log server.');
  // Meanwhile somebody else was quicker.
  const quick = await call(sue.page, 'POST', `/access-requests/${id}/deny`, { revision: 1, note: 'No.' });
  assert.equal(quick.status, 200);
  await dialog.getByRole('button', { name: 'Deny' }).click();
  await dialog.getByText(/changed meanwhile|nothing left to decide/).waitFor();
  await screenshot(sid.page, 'real-stale');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await ann.page.getByText('No.', { exact: true }).waitFor();
  await ann.page.getByText('Denied').first().waitFor();
});

test('an approver asks: somebody else must decide', async () => {
  const { sid, sue } = windows;
  const made = await call(sid.page, 'POST', '/access-requests', {
    target_id: 'demo',
    duration_s: 3600,
    reason: 'I would like to see it',
  });
  assert.equal(made.status, 201);
  const path = `/access-requests/${made.body.id}`;
  const own = await call(sid.page, 'POST', `${path}/approve`, { revision: 1 });
  assert.deepEqual([own.status, own.body.code], [403, 'own_request']);
  assert.equal((await call(sue.page, 'POST', `${path}/approve`, { revision: 1 })).status, 200);
});

test('two people must approve where a policy says so', async () => {
  const { admin, ann, sue, sid } = windows;
  const policies = (await call(admin.page, 'GET', '/policies')).body;
  const two = await call(admin.page, 'POST', '/policies', {
    id: 'two-people',
    name: 'Two people',
    text: '@approvals("2")\npermit (principal in Role::"user", action == Action::"connect", resource) when { context.approved };',
  });
  if (two.status >= 300) assert.fail(JSON.stringify([policies, two.body]));
  const id = await ask('Restart the service that hangs');
  await ann.page.getByText('Waiting, 0 of 2').first().waitFor();
  await sue.page.goto(`${base}/requests`);
  await sue.page.getByRole('article').getByRole('button', { name: 'Approve' }).click();
  await sue.page.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
  await sue.page.getByText('You have approved').waitFor();
  await screenshot(sue.page, 'real-one-of-two');
  const twice = await call(sue.page, 'POST', `/access-requests/${id}/approve`, { revision: 2 });
  assert.deepEqual([twice.status, twice.body.code], [409, 'decided_already']);
  const early = await call(ann.page, 'POST', '/sessions', { target_id: 'demo' });
  assert.equal(early.body.code, 'approval_needed');
  await sid.page.goto(`${base}/requests/${id}`);
  await sid.page.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
  await sid.page.locator('form').getByRole('button', { name: 'Approve' }).click();
  await ann.page.getByText('Approved').first().waitFor();
});
