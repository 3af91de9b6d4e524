// The live wall on the real binary, in a real Chromium: a supervisor sees a session appear with its picture, sees the picture
// change as its person works, and opens the live view by the keyboard.
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

/** The mean colour of a card's picture within a part of it, and its size; null while there is none. */
const thumbnail = (card, [x, y, w, h]) =>
  card.evaluate(
    (element, [x, y, w, h]) => {
      const image = element.querySelector('img');
      if (!image?.naturalWidth) return null;
      const canvas = document.createElement('canvas');
      canvas.width = canvas.height = 1;
      const context = canvas.getContext('2d');
      context.drawImage(image, x, y, w, h, 0, 0, 1, 1);
      return { colour: [...context.getImageData(0, 0, 1, 1).data].slice(0, 3), width: image.naturalWidth };
    },
    [x, y, w, h],
  );

test('a supervisor sees who works where, and what it looks like', async () => {
  const admin = await openPage(browser);
  await signIn(admin.page, base, 'admin', password, '/wall');
  await admin.page.getByText('No session is running').waitFor();
  const user = await aliceConnects(browser, admin.page, base);

  const card = admin.page.getByRole('link', { name: /alice on Demo desktop/ });
  await card.waitFor();
  const [lampX, lampY] = scene.button.lamp;
  const lamp = async () => {
    const shown = await thumbnail(card, [0, 0, 1, 1]);
    if (!shown) return null;
    const size = await user.page.evaluate(() => document.querySelector('video').videoWidth);
    const scale = shown.width / size;
    return (await thumbnail(card, [lampX * scale - 1, lampY * scale - 1, 2, 2])).colour;
  };
  const before = await eventually(lamp, (colour) => colour !== null, 'the thumbnail');
  assert.ok(before[0] - before[1] < 60, `the lamp is dark: ${before}`);
  await user.page.mouse.click(...(await place(user.page, scene.button.at)));
  await eventually(lamp, (colour) => colour[0] - colour[1] > 60, 'the lamp lit on the wall');
  await screenshot(admin.page, 'wall');

  // Nothing was drawn since: the browser is told so, and has no other picture.
  const answers = [];
  admin.page.on('response', (r) => r.url().endsWith('/thumbnail') && answers.push(r.headers().etag));
  await eventually(
    () => answers,
    (all) => all.length >= 2,
    'the wall asks again',
  );
  assert.equal(new Set(answers).size, 1);

  // Filters, in the address.
  await admin.page.getByLabel('Search the wall').fill('nobody');
  await admin.page.getByText('No running session matches').waitFor();
  assert.match(admin.page.url(), /q=nobody/);
  await admin.page.getByRole('button', { name: 'Show all' }).click();

  await card.focus();
  await admin.page.keyboard.press('Enter');
  await admin.page.waitForURL('**/sessions/*?role=view');
  await eventually(
    () => pixels(admin.page, 'desktop', [scene.button.lamp]),
    (seen) => seen && seen[0][0] - seen[0][1] > 60,
    'the live view',
  );
  assert.deepEqual([...admin.complaints, ...user.complaints], []);
  await admin.context.close();
  await user.context.close();
});
