// Detection on the real binary with two browsers: an administrator writes a rule in the console while alice works, tries it on a recording,
// sees the alert appear the moment she types the line, acknowledges it, and is led to the moment in the recording.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  aliceConnects,
  eventually,
  launch,
  openPage,
  pixels,
  place,
  screenshot,
  signIn,
} from './browser.mjs';
import * as scene from './demo-scene.mjs';
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

const settled = (page) => page.waitForFunction(() => !document.querySelector('.mantine-Modal-overlay'));

/** Types a line into the desktop's field, as one session does that is watched. */
async function types(page, line) {
  await page.mouse.click(...(await place(page, scene.field.at)));
  await page.keyboard.type(line, { delay: 10 });
  await page.keyboard.press('Enter');
}

test('a rule is written, its alert appears, is acknowledged and leads to its moment', async (t) => {
  const admin = await openPage(browser, { viewport: { width: 1440, height: 900 } });
  await signIn(admin.page, base, 'admin', password, '/alerts');
  await admin.page.getByText('Nothing new').waitFor();
  const user = await aliceConnects(browser, admin.page, base);
  await eventually(
    () => pixels(user.page, 'desktop', [[8, 8]]),
    (seen) => seen !== null,
    'the first picture',
  );
  const session = new URL(user.page.url()).pathname.split('/').at(-1);
  await types(user.page, 'launch the rocket'); // before there is a rule

  await t.test('a rule is checked with a line, and saved', async () => {
    await admin.page.getByRole('button', { name: 'Administration' }).click();
    await admin.page.getByRole('menuitem', { name: 'Rules' }).click();
    await admin.page.locator('[data-rule="attack-tools"]').waitFor();
    await screenshot(admin.page, 'rules');
    await admin.page.getByRole('link', { name: 'New rule' }).click();
    await admin.page.waitForURL('**/rules/new');
    await admin.page.getByRole('textbox', { name: 'Name' }).fill('Rockets launched');
    const any = admin.page.getByLabel('Any of these');
    await any.fill('^launch\\b(');
    await admin.page.getByText(/cannot be used: missing closing \)/).waitFor();
    assert.ok(await admin.page.getByRole('button', { name: 'Save' }).isDisabled());
    await screenshot(admin.page, 'rule-wrong');
    await any.fill('^launch\\b');
    const sample = admin.page.getByLabel('A line to check it with');
    await sample.fill('echo launch');
    await admin.page.getByText('The rule does not fit.').waitFor();
    await sample.fill('sudo "launch" the rocket');
    await admin.page.getByText('The rule fits.').waitFor();
    await admin.page.getByText('launch the rocket', { exact: true }).waitFor(); // without sudo and quotes
    await screenshot(admin.page, 'rule-check');
    await admin.page.getByRole('combobox', { name: 'Severity' }).click();
    await admin.page.getByRole('option', { name: 'Critical' }).click();
  });

  await t.test('it is tried on the recording that runs', async () => {
    const hit = admin.page.getByRole('link', { name: /launch the rocket/ });
    await eventually(
      async () => {
        await admin.page.getByRole('button', { name: 'Try', exact: true }).click();
        await admin.page.getByText(/recordings? tried, .*\.$/).waitFor();
        return hit.count();
      },
      (n) => n === 1,
      'the line before the rule',
      20_000,
    );
    assert.match(await hit.getAttribute('href'), new RegExp(`/recordings/${session}\\?t=`));
    await hit.scrollIntoViewIfNeeded();
    await screenshot(admin.page, 'rule-dry-run');
    await admin.page.getByRole('button', { name: 'Save' }).click();
    await admin.page.waitForURL('**/rules/rockets-launched');
  });

  await t.test('the alert appears while the session runs', async () => {
    await admin.page.getByRole('link', { name: 'Alerts' }).click();
    await admin.page.getByText('Nothing new').waitFor();
    const row = admin.page.getByRole('row', { name: /Rockets launched/ });
    // The running session gets the rule within seconds.
    await eventually(
      async () => {
        await types(user.page, 'launch the other rocket');
        return row.count();
      },
      (n) => n === 1,
      'the alert',
      20_000,
    );
    await row.getByText('launch the other rocket').waitFor();
    await row.getByText('Critical').waitFor();
    await row.getByText('alice').waitFor();
    await admin.page.getByRole('link', { name: 'Alerts 1 new' }).waitFor();
    assert.equal(
      await row.getByRole('link', { name: 'Live' }).getAttribute('href'),
      `/sessions/${session}?role=view`,
    );
    await screenshot(admin.page, 'alerts');

    // The notification leads to the live view.
    await admin.page.getByRole('button', { name: /Notifications, \d+ unread/ }).click();
    await admin.page
      .getByRole('link', { name: /Alert: Rockets launched/ })
      .first()
      .click();
    await admin.page.waitForURL(`**/sessions/${session}?role=view`);
    await admin.page.goto(`${base}/alerts`);
    await row.waitFor();
  });

  await t.test('it is acknowledged', async () => {
    const row = admin.page.getByRole('row', { name: /Rockets launched/ });
    await row.getByRole('checkbox').check();
    await admin.page.getByRole('button', { name: 'Acknowledge 1' }).click();
    const dialog = admin.page.getByRole('dialog', { name: 'Acknowledge this alert?' });
    await dialog.getByLabel('Note').fill('A test, agreed with alice.');
    await screenshot(admin.page, 'alert-acknowledge');
    await dialog.getByRole('button', { name: 'Acknowledge' }).click();
    await admin.page.getByText('Nothing new').waitFor();
    await settled(admin.page);
    await admin.page.getByRole('link', { name: 'Alerts', exact: true }).waitFor(); // no number any more
    await admin.page.getByText('Acknowledged', { exact: true }).click();
    await row.getByText('A test, agreed with alice.').waitFor();
    await screenshot(admin.page, 'alerts-acknowledged');
  });

  await t.test('afterwards it leads to its moment in the recording', async () => {
    const answer = await admin.page.evaluate(
      async (session) =>
        (
          await fetch(`/api/v1/sessions/${session}/terminate`, {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            body: '{}',
          })
        ).status,
      session,
    );
    assert.equal(answer, 204);
    const list = await eventually(
      () => admin.page.evaluate(async () => (await fetch('/api/v1/alerts?state=acknowledged')).json()),
      ({ alerts }) => alerts.length === 1 && !alerts[0].running,
      'the alert of a session that is over',
      20_000,
    );
    const [alert] = list.alerts;
    await admin.page.goto(`${base}/alerts/${alert.id}/open`); // as the notification does
    await admin.page.waitForURL(`**/recordings/${session}?t=*`);
    const at = Number(new URL(admin.page.url()).searchParams.get('t'));
    assert.ok(at > 0 && Math.abs(at - alert.first_ms / 1000) < 0.01, `at ${at} s`);
    const player = admin.page.locator('video');
    await eventually(
      () => player.evaluate((v) => v.currentTime),
      (now) => Math.abs(now - at) < 2,
      'the moment in the player',
      20_000,
    );
    await screenshot(admin.page, 'alert-moment');
  });

  assert.deepEqual([...admin.complaints, ...user.complaints], []);
  await admin.context.close();
  await user.context.close();
});
