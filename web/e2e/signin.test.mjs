// Second factors and providers, against the real binary and a real OpenID provider, as a person would click.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch, openPage, screenshot, signIn } from './browser.mjs';
import { start } from './process.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const binary = process.env.VITRINE_BIN ?? join(root, 'bin/vitrine');
const port = Number(process.env.VITRINE_E2E_SIGNIN_PORT ?? 21210);
const base = `http://localhost:${port}`;
const password = 'correct horse battery staple';
let dir, provider, gateway, browser;

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'vitrine-signin-'));
  const program = join(dir, 'provider');
  execFileSync('go', ['build', '-o', program, './internal/testbed/openid/provider'], {
    cwd: root,
    stdio: 'inherit',
  });
  provider = await start(
    program,
    ['-redirect', `${base}/api/v1/sign-in/oidc/corp/callback`],
    /issuer (http:\S+)/,
  );
  const config = join(dir, 'vitrine.yaml');
  writeFileSync(
    config,
    `data_dir: data
http: {listen: "127.0.0.1:${port}", public_url: "${base}"}
sandbox: "off"
identity:
  mfa: required
  oidc:
    - name: corp
      label: Example Corp
      issuer: ${provider.match[1]}
      client_id: vitrine
      client_secret: client secret of the tests
      mapping: {roles: [user], rules: [{group: operators, roles: [supervisor]}]}
    - {name: gone, label: Old Corp, issuer: "http://localhost:9", client_id: x}
targets:
  - {id: vault, name: Vault desk, protocol: vnc, address: "127.0.0.1:9", tls: {mode: "off"}}
`,
  );
  const fresh = join(dir, 'fresh.cedar');
  writeFileSync(
    fresh,
    `permit (principal, action == Action::"connect", resource) when { context has mfa_age && context.mfa_age < 3 };`,
  );
  execFileSync(binary, ['policy', 'apply', fresh, '--config', config]);
  for (const name of ['alice', 'bob'])
    execFileSync(binary, ['user', 'add', name, '--config', config], { input: password });
  gateway = await start(binary, ['serve', '--config', config], /msg=serving/);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await gateway?.stop();
  await provider?.stop();
  if (dir) rmSync(dir, { recursive: true, force: true });
});

/** The one-time password of a seed, as an authenticator app shows it some seconds from now. */
function code(seed, ahead = 0) {
  let bits = '';
  for (const c of seed.replace(/\s/g, ''))
    bits += 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0');
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor((Date.now() / 1000 + ahead) / 30)));
  const mac = createHmac('sha1', key).update(step).digest();
  const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

/** The seed that a dialog or a page shows, once it is there. */
async function seedIn(shown) {
  const seed = shown.getByTestId('totp-secret').filter({ hasText: /\S/ });
  await seed.waitFor();
  return seed.textContent();
}

/** A passkey of the browser's own, in whose place Chromium has a virtual authenticator. */
async function authenticator(page) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
}

const me = (page) => page.evaluate(async () => (await fetch('/api/v1/me')).json());

async function signOut(page) {
  await page.evaluate(() => fetch('/api/v1/sign-out', { method: 'POST' }));
  await page.goto(`${base}/sign-in`);
  await page.getByLabel('User name').waitFor();
}

async function enrolTOTP(page) {
  await page.getByRole('button', { name: 'Authenticator app' }).click();
  await page.getByRole('img', { name: 'QR code for an authenticator app' }).waitFor();
  await page.getByText('Cannot scan?').click();
  return seedIn(page);
}

test('an authenticator app and recovery codes', async () => {
  const { page, context, complaints } = await openPage(browser);
  await page.goto(`${base}/sign-in`);
  await page.getByRole('link', { name: 'Sign in with Example Corp' }).waitFor();
  await screenshot(page, 'signin-start');
  await signIn(page, base, 'alice', password, '/recordings');
  await page.getByText('you need a second factor here').waitFor();
  await screenshot(page, 'signin-enrol');
  assert.equal((await me(page)).code, 'unauthenticated', 'nothing works before');
  await page.goto(`${base}/targets`);
  await page.getByText('you need a second factor here').waitFor();

  const seed = await enrolTOTP(page);
  await screenshot(page, 'signin-totp');
  await page.getByLabel('Code of your authenticator app').fill('000000');
  await page.getByText('The code is wrong').waitFor();
  await page.getByLabel('Code of your authenticator app').fill(code(seed));
  await page.getByText('Keep these recovery codes').waitFor();
  const codes = await page
    .getByRole('list', { name: 'Recovery codes' })
    .getByRole('listitem')
    .allTextContents();
  assert.equal(codes.length, 10);
  await screenshot(page, 'signin-recovery-codes');
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download' }).click();
  assert.equal((await download).suggestedFilename(), 'vitrine-recovery-codes.txt');
  await page.getByRole('button', { name: 'I have kept them' }).click();
  await page.waitForURL('**/targets');
  assert.equal((await me(page)).username, 'alice');

  await signOut(page);
  await signIn(page, base, 'alice', password, '/recordings');
  await page.getByText('One more step.').waitFor();
  await screenshot(page, 'signin-second-step');
  await page.reload();
  await page.getByLabel('Code of your authenticator app').fill(code(seed, 30));
  await page.waitForURL('**/recordings');

  await signOut(page);
  await signIn(page, base, 'alice', password, '/');
  await page.getByLabel('Code of your authenticator app').fill(code(seed, 30)); // used before
  await page.getByText('The code is wrong or was used before').waitFor();
  await page.getByRole('button', { name: 'Use a recovery code' }).click();
  await page.getByLabel('Recovery code').fill(codes[0].toUpperCase());
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.waitForURL('**/targets');

  await signOut(page);
  await signIn(page, base, 'alice', password, '/');
  await page.getByRole('button', { name: 'Use a recovery code' }).click();
  await page.getByLabel('Recovery code').fill(codes[0]);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByText('The code is wrong or was used before').waitFor();
  await screenshot(page, 'signin-wrong');
  await page.getByRole('button', { name: 'Sign in as somebody else' }).click();
  await page.getByLabel('User name').waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a passkey, as a second factor and alone', async () => {
  const { page, context, complaints } = await openPage(browser);
  await authenticator(page);
  await signIn(page, base, 'bob', password);
  await page.getByRole('button', { name: 'Passkey or security key' }).click();
  await page.getByLabel('Name of the passkey').fill('Blue key');
  await screenshot(page, 'signin-passkey');
  await page.getByRole('button', { name: 'Make the passkey' }).click();
  await page.getByRole('button', { name: 'I have kept them' }).click();
  await page.waitForURL('**/targets');

  await signOut(page);
  await signIn(page, base, 'bob', password);
  await page.getByRole('button', { name: 'Use your passkey' }).click();
  await page.waitForURL('**/targets');

  await signOut(page);
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await page.waitForURL('**/targets');
  assert.equal((await me(page)).username, 'bob');
  const factors = await page.evaluate(async () => (await fetch('/api/v1/me/factors')).json());
  assert.equal(factors.passkeys[0].name, 'Blue key');
  assert.ok(factors.mfa_at);

  await page.goto(`${base}/account`);
  const list = page.getByRole('table', { name: 'Second factors' });
  await list.getByText('10 left').waitFor();
  await list.getByRole('button', { name: 'Rename Blue key' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Red key');
  await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
  await list.getByText('Red key').waitFor();
  await page.getByRole('button', { name: 'Add an authenticator app' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('Cannot scan?').click();
  const seed = await seedIn(dialog);
  await screenshot(page, 'signin-account-totp');
  await dialog.getByLabel('Code of your authenticator app').fill(code(seed));
  await list.getByText('Authenticator app').waitFor();
  await dialog.waitFor({ state: 'hidden' });

  // A desktop that wants a fresh factor asks for it, and goes on.
  const { mfa_at } = await page.evaluate(async () => (await fetch('/api/v1/me/factors')).json());
  await page.waitForFunction((at) => Date.now() - Date.parse(at) > 4000, mfa_at);
  await page.goto(`${base}/targets`);
  await page.getByRole('button', { name: 'Connect to Vault desk' }).click();
  await page.getByText('only after a second factor was proved a moment ago').waitFor();
  await screenshot(page, 'connect-step-up');
  await page.getByRole('button', { name: 'Use your passkey' }).click();
  await page.getByText('target_unreachable').waitFor();
  await page.goto(`${base}/account`);
  await list.getByText('Red key').waitFor();

  await list.getByRole('button', { name: 'Make new ones' }).click();
  await page.getByRole('button', { name: 'Make them' }).click();
  await page.getByRole('list', { name: 'Recovery codes' }).waitFor();
  await page.getByRole('button', { name: 'I have kept them' }).click();
  await list.getByRole('button', { name: 'Remove Red key' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await list.getByText('Red key').waitFor({ state: 'hidden' });
  await list.getByRole('button', { name: 'Remove the authenticator app' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await page.getByText('Enrol another before you remove this one').waitFor();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await screenshot(page, 'signin-account');
  assert.deepEqual(complaints, []);
  await context.close();
});

test('an OpenID provider', async () => {
  const { page, context, complaints } = await openPage(browser);
  await page.goto(`${base}/sign-in?next=%2Frecordings`);
  await page.getByRole('link', { name: 'Sign in with Example Corp' }).click();
  await page.locator('#username').fill('carol');
  await page.locator('#password').fill('verysecure');
  await page.getByRole('button', { name: 'Login' }).click();
  await page.getByText('you need a second factor here').waitFor(); // the provider proved a password only
  await page.getByLabel('Code of your authenticator app').waitFor({ state: 'hidden' });
  const seed = await enrolTOTP(page);
  await page.getByLabel('Code of your authenticator app').fill(code(seed));
  await page.getByRole('button', { name: 'I have kept them' }).click();
  await page.waitForURL('**/recordings');
  const who = await me(page);
  assert.equal(who.username, 'carol');
  assert.deepEqual([...who.roles].sort(), ['supervisor', 'user']);
  const callback = `${base}/api/v1/sign-in/oidc/corp/callback?code=x&state=made-up`;
  await signOut(page);
  await page.goto(callback);
  await page.getByText('took too long or was finished already').waitFor();
  await screenshot(page, 'signin-provider-error');
  await page.getByRole('link', { name: 'Sign in with Old Corp' }).click();
  await page.getByText('The provider cannot be reached now').waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});
