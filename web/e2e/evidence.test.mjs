// A recording is taken out as an evidence package, which the program verifies without the gateway, held, and its key shredded.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { call, connect, eventually, get, launch, openPage, screenshot, signIn } from './browser.mjs';
import { startDemo } from './process.mjs';

let gateway;
let browser;
let files;

before(async () => {
  files = mkdtempSync(join(tmpdir(), 'vitrine-evidence-'));
  gateway = await startDemo();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await gateway?.close();
  rmSync(files, { recursive: true, force: true });
});

test('a recording is exported, held and shredded', async () => {
  const { page, complaints } = await openPage(browser);
  await signIn(page, gateway.base, 'admin', gateway.password);
  const session = await connect(page);
  await call(page, 'POST', `/sessions/${session}/terminate`);
  await eventually(
    () => get(page, `/recordings/${session}`),
    ({ state }) => state === 'sealed',
    'the sealed recording',
  );

  await page.goto(`${gateway.base}/recordings/${session}`);
  await page.getByRole('button', { name: 'Export', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('What for').fill('The court has asked');
  await dialog.getByRole('button', { name: 'Export', exact: true }).click();
  const arrived = page.waitForEvent('download');
  await dialog.getByRole('button', { name: 'Download' }).click();
  const download = await arrived;
  assert.match(download.suggestedFilename(), /-evidence\.zip$/);
  const name = join(files, 'evidence.zip');
  await download.saveAs(name);
  await screenshot(page, 'export');
  const said = execFileSync(resolve(process.env.VITRINE_BIN ?? '../bin/vitrine'), [
    'verify',
    name,
  ]).toString();
  assert.match(said, /^As sealed by the worker/);
  assert.match(said, /The report beside it is the one that was made with it/);
  await dialog.getByRole('button', { name: 'Remove the result' }).click();
  await dialog.getByText('No longer there').waitFor();
  await dialog.getByRole('button', { name: 'Close', exact: true }).last().click();

  await page.getByRole('button', { name: 'How long it is kept' }).click();
  await dialog.getByRole('button', { name: 'Put on legal hold' }).click();
  await dialog.getByLabel('Why').fill('A case is open');
  await dialog.getByRole('button', { name: 'Put on hold' }).click();
  await dialog.locator('dd', { hasText: 'A case is open' }).waitFor(); // not the field it was written in
  assert.equal(await dialog.getByRole('button', { name: 'Shred the key' }).count(), 0);
  await screenshot(page, 'custody');
  await dialog.getByRole('button', { name: 'Release the hold' }).click();
  await dialog.getByLabel('Why').fill('The case is closed');
  await dialog.getByRole('button', { name: 'Release the hold' }).click();
  await dialog.getByRole('button', { name: 'Shred the key' }).click();
  await dialog.getByLabel('Why').fill('The person has asked');
  const shred = dialog.getByRole('button', { name: 'Shred the key' });
  assert.ok(await shred.isDisabled());
  await dialog.getByLabel('To confirm').fill(session);
  await shred.click();
  await dialog.locator('dd', { hasText: 'The person has asked' }).waitFor(); // not the field it was written in
  assert.equal((await call(page, 'GET', `/recordings/${session}/index`)).status, 410);
  assert.deepEqual(complaints, []);
});
