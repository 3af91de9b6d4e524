// A browser for tests that are written in another language (internal/e2e): it does what it is told and judges nothing.
//
// usage: node remote.mjs URL
//
// Reads one JSON object a line, {"do": name, …}, and answers each by one line before it reads the next: {"value": …} or
// {"error": text}. It ends with its input. `commands` is all it can do.
import { createInterface } from 'node:readline';
import { dialogGone, launch, openPage, picture, place, screenshot, signIn } from './browser.mjs';

const [base] = process.argv.slice(2);
const shifted = '~!@#$%^&*()_+{}|:"<>?';

const browser = await launch();
const { context, page, complaints } = await openPage(browser, {
  permissions: ['clipboard-read', 'clipboard-write'],
});
context.setDefaultTimeout(30_000); // the machine may be busy
const devtools = await context.newCDPSession(page);
await context.addInitScript(() => {
  const note = (event) => (window.clicked = performance.timeOrigin + event.timeStamp);
  window.addEventListener('click', note, { capture: true });
  window.channels = {};
  const create = RTCPeerConnection.prototype.createDataChannel;
  RTCPeerConnection.prototype.createDataChannel = function (label, ...rest) {
    return (window.channels[label] = create.call(this, label, ...rest));
  };
});
const inside = (role) => (role ? page.getByRole(role) : page);

const commands = {
  /** Signs in and waits for the page that follows. */
  signIn: async ({ username, password }) => {
    await signIn(page, base, username, password);
    await page.waitForURL('**/targets');
  },

  goto: ({ path }) => page.goto(base + path).then(() => undefined),

  viewport: ({ width, height }) => page.setViewportSize({ width, height }),

  /** What the page says and where it is; `spilt`: an alert's text does not fit into its box; w and h are the size of the picture in it, if there is one; focus: a dialog's text field has the keys. */
  page: () =>
    page.evaluate(() => {
      const video = document.querySelector('video');
      const alerts = [...document.querySelectorAll('[role=alert]')];
      return {
        path: location.pathname,
        text: document.body.innerText,
        alerts: alerts.map((alert) => alert.innerText),
        spilt: alerts.some((alert) => alert.scrollWidth > alert.clientWidth),
        w: video?.videoWidth ?? 0,
        h: video?.videoHeight ?? 0,
        focus: document.activeElement?.matches('[role=dialog] textarea') ?? false,
      };
    }),

  /** Clicks what has this role and name, within something of another role where that is given. */
  click: ({ role, name, within }) => inside(within).getByRole(role, { name, exact: true }).first().click(),

  /** Fills in a text field. */
  fill: ({ role = 'textbox', name, text, within }) => inside(within).getByRole(role, { name }).fill(text),

  /** Waits until no dialog's veil takes clicks any more. */
  dialogGone: () => dialogGone(page),

  /** Clicks a text that is no control of its own. */
  clickText: ({ text }) => page.getByText(text, { exact: true }).first().click(),

  /** The picture of a video as a PNG file in base64; null while it shows nothing. */
  picture: ({ testId }) => picture(page, testId),

  /** The blurred picture of a frozen session, as a JPEG file in base64; null while there is none. */
  still: () =>
    page.evaluate(() => document.querySelector('img[src^="data:image/jpeg"]')?.src.split(',')[1] ?? null),

  /** The window's own picture of the desktop, as a PNG file in base64: what a person sees, pixel by pixel of the screen. */
  seen: async () => {
    const box = await page.getByTestId('desktop').boundingBox();
    return (await page.screenshot({ clip: box, animations: 'allow' })).toString('base64');
  },

  /** How many pixels of the desktop lie under an exact tile, of how many. */
  exact: () =>
    page.evaluate(() => {
      const tiles = document.querySelector('[data-testid="desktop"] canvas');
      if (!tiles?.width) return { tiles: 0, pixels: 0 };
      const canvas = document.createElement('canvas');
      canvas.width = tiles.width;
      canvas.height = tiles.height;
      const context = canvas.getContext('2d', { willReadFrequently: true });
      context.drawImage(tiles, 0, 0);
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      let covered = 0;
      for (let i = 3; i < data.length; i += 4) covered += data[i] === 255;
      return { tiles: covered, pixels: data.length / 4 };
    }),

  /**
   * Waits until the desktop as the page composes it has not changed for so many milliseconds, and returns when it was first seen as it
   * stays, in milliseconds since 1970. What is seen is kept and looked into afterwards: reading the pixels takes far longer than showing
   * them, and would hold up what is to be seen.
   */
  settled: ({ still }) =>
    page.evaluate(async (still) => {
      const desktop = document.querySelector('[data-testid="desktop"]');
      const video = desktop.querySelector('video');
      const canvas = document.createElement('canvas');
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      const context = canvas.getContext('2d', { willReadFrequently: true });
      const look = async () => {
        const at = await new Promise((done) => requestAnimationFrame(() => done(performance.now())));
        const tiles = desktop.querySelector('canvas');
        const layers = [new VideoFrame(video)];
        if (tiles?.width) layers.push(await createImageBitmap(tiles));
        return { at, layers };
      };
      const sum = ({ layers }) => {
        for (const layer of layers) {
          context.drawImage(layer, 0, 0);
          layer.close();
        }
        const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
        const pixels = new Int32Array(data.buffer);
        let sum = 0;
        for (let i = 0; i < pixels.length; i++) sum = Math.imul(sum ^ pixels[i], 0x01000193);
        return sum;
      };
      let shown = null;
      let since = 0;
      for (let changed = true; changed;) {
        changed = false;
        const sights = [];
        for (const began = performance.now(); performance.now() - began < still;) sights.push(await look());
        for (const sight of sights) {
          const now = sum(sight);
          if (now === shown) continue;
          [changed, shown, since] = [true, now, sight.at];
        }
      }
      return performance.timeOrigin + since;
    }, still),

  /** Turns and clicks of the mouse at a pixel of the desktop. */
  mouse: async ({ x, y, button, wheel }) => {
    const [left, top] = await place(page, [x, y]);
    await page.mouse.move(left, top);
    if (wheel) await page.mouse.wheel(0, wheel);
    else if (button) await page.mouse.click(left, top, { button });
  },

  /** Types as a person does on an American keyboard, with Shift held where it takes Shift. */
  type: async ({ text }) => {
    for (const character of text) {
      const shift = shifted.includes(character) || (character >= 'A' && character <= 'Z');
      if (shift) await page.keyboard.down('Shift');
      await page.keyboard.press(character === '\n' ? 'Enter' : character, { delay: 5 });
      if (shift) await page.keyboard.up('Shift');
    }
  },

  press: ({ key }) => page.keyboard.press(key),

  /** Presses and lets go of keys of any keyboard: `code` is a key's place and `key` what it makes there. */
  keys: async ({ keys }) => {
    for (const { code, key, down } of keys) {
      await devtools.send('Input.dispatchKeyEvent', { type: down ? 'rawKeyDown' : 'keyUp', code, key });
    }
  },

  /** Text without keys, as an input method makes it. */
  insert: ({ text }) => page.keyboard.insertText(text),

  copy: ({ text }) => page.evaluate((t) => navigator.clipboard.writeText(t), text),
  clipboard: () => page.evaluate(() => navigator.clipboard.readText()),

  /** Clicks the time line of a recording, `part` of its length from the start, and waits until it is there. */
  seek: async ({ part }) => {
    const box = await page.getByRole('slider', { name: 'Position in the recording' }).boundingBox();
    await page.mouse.click(box.x + box.width * part, box.y + box.height - 10);
    await page.waitForFunction(() => document.querySelector('video')?.seeking === false);
  },

  /** Goes to the moment of the first event of that name in the list beside a recording. */
  event: async ({ label }) => {
    const events = page.getByRole('region', { name: 'Events' });
    await events.getByRole('button').filter({ hasText: label }).first().click();
    await page.waitForFunction(() => document.querySelector('video')?.seeking === false);
  },

  /** Sends a message by one of the session's data channels, whatever the page itself would do. */
  send: ({ channel, message }) =>
    page.evaluate(([label, text]) => window.channels[label].send(text), [channel, JSON.stringify(message)]),

  /** Presses a key on the desktop all the time, every so many milliseconds, as fast as a hand never is; 0 ends it. */
  drum: ({ every }) =>
    page.evaluate((every) => {
      clearInterval(window.drumming);
      if (!every) return;
      window.drumming = setInterval(() => {
        for (const type of ['keydown', 'keyup'])
          document.activeElement.dispatchEvent(
            new KeyboardEvent(type, { key: 'a', code: 'KeyA', bubbles: true, cancelable: true }),
          );
      }, every);
    }, every),

  /** Begins to look, frame by frame, for a text in the page; `expected` tells when it was there. */
  expect: ({ text }) =>
    page.evaluate((text) => {
      window.expected = new Promise((found) => {
        const look = () => {
          if (document.body.textContent.includes(text)) found(performance.timeOrigin + performance.now());
          else requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
      });
    }, text),

  /** Waits for what was to be expected and returns when it was there, in milliseconds since 1970. */
  expected: () => page.evaluate(() => window.expected),

  /** When the last click in the page was, in milliseconds since 1970. */
  clicked: () => page.evaluate(() => window.clicked),

  /** Takes pictures of the page, dark and light, for people to look at. */
  screenshot: ({ name }) => screenshot(page, name),

  /** What went wrong in the page so far. */
  complaints: () => complaints,
};

process.stdout.write('{"value":"ready"}\n');
for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const { do: name, ...rest } = JSON.parse(line);
    answer = { value: (await commands[name](rest)) ?? null };
  } catch (error) {
    answer = { error: String(error?.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
