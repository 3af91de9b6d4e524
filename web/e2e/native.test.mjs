// Native RDP clients from the console: the real binary with its demo desktop, and a real Chromium.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { launch, openPage, screenshot, signIn } from './browser.mjs';
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

test('a desktop is handed to an RDP client by a signed file, a command or a one-time password', async () => {
  const { context, page, complaints } = await openPage(browser, { acceptDownloads: true });
  const addresses = [];
  page.on('request', (request) => addresses.push(request.url()));
  await signIn(page, gateway.base, 'admin', gateway.password);

  await page.getByRole('button', { name: 'More about Demo desktop' }).click();
  await page.getByRole('menuitem', { name: 'Open in RDP client…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Open Demo desktop in an RDP client' });
  await dialog.getByLabel('Size of the window').selectOption('1280x800');
  await dialog.getByRole('switch', { name: 'Only from this computer’s address' }).check();
  await screenshot(page, 'native-dialog');
  const [saved] = await Promise.all([
    page.waitForEvent('download'),
    dialog.getByRole('button', { name: 'Get the file' }).click(),
  ]);
  assert.equal(saved.suggestedFilename(), 'Demo desktop.rdp');
  const bytes = readFileSync(await saved.path());
  assert.deepEqual([...bytes.subarray(0, 2)], [0xff, 0xfe]);
  const lines = bytes.subarray(2).toString('utf16le').split('\r\n');
  for (const line of [
    'username:s:admin',
    'desktopwidth:i:1280',
    'redirectdrives:i:0',
    'enablecredsspsupport:i:0',
  ])
    assert.ok(lines.includes(line), line);
  assert.ok(lines.some((line) => line.startsWith('signature:s:AQABAAEAAA')));
  const [ticket] = lines.flatMap((line) => line.match(/^alternate shell:s:([a-z0-9]{26})$/)?.[1] ?? []);
  const command = await dialog.getByLabel('or without it', { exact: true }).textContent();
  assert.ok(command.includes(`/shell:${ticket}`), command);
  await dialog.getByText('within').waitFor();
  await screenshot(page, 'native-ready');
  await dialog.getByRole('button', { name: 'Done' }).click();

  // A one-time password, for clients with network level authentication.
  await page.getByRole('button', { name: 'More about Demo desktop' }).click();
  await page.getByRole('menuitem', { name: 'Open in RDP client…' }).click();
  await dialog.getByText('One-time password (NLA)').click();
  await dialog.getByRole('button', { name: 'Get the file' }).click();
  const password = await dialog.getByLabel('One-time password', { exact: true }).textContent();
  assert.match(password, /^[a-z0-9]{26}$/);
  assert.ok(!(await dialog.getByLabel('or without it', { exact: true }).textContent()).includes(password));
  await screenshot(page, 'native-password');
  await page.setViewportSize({ width: 390, height: 800 });
  await screenshot(page, 'native-narrow');
  await page.setViewportSize({ width: 1280, height: 800 });
  await dialog.getByRole('button', { name: 'Done' }).click();
  assert.ok(!addresses.some((url) => url.includes(ticket) || url.includes(password)), 'in an address');

  // A client that shows a code.
  await page.getByRole('button', { name: 'Account: admin' }).click();
  await page.getByRole('menuitem', { name: 'Approve a sign-in' }).click();
  await page.getByRole('textbox', { name: 'Code' }).fill('bdfk 2479');
  await page.keyboard.press('Enter');
  await page.getByText('No sign-in waits for this code').waitFor();
  await screenshot(page, 'native-sign-in');
  await page.route('**/native-sign-ins/look', (route) =>
    route.fulfill({
      json: {
        client: 'LAPTOP-7',
        client_address: '192.0.2.7',
        user: 'admin',
        target: 'demo',
        expires_at: new Date(Date.now() + 60_000).toISOString(),
      },
    }),
  );
  await page.keyboard.press('Enter');
  await page.getByText('Is this you?').waitFor();
  await screenshot(page, 'native-sign-in-who');
  await page.getByRole('button', { name: 'No, send it away' }).click();
  await page.getByText('No sign-in waits for this code').waitFor();

  assert.deepEqual(complaints, []);
  await context.close();
});
