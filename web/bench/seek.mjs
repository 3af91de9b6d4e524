// A browser that seeks in a recording whose pictures tell their time, and says how long the right picture took.
//
// usage: node seek.mjs URL USER SESSION COUNT, the password in VITRINE_PASSWORD
//
// The pictures carry numbers of 9 bits as squares of 32 pixels, white for 1: from the top left corner the tenth of a second within
// a half minute, from pixel 1600 of the same row the half minute. Prints one JSON object a line for every seek: {"ms": how long, "at": the time shown in s}. Fails
// when the right picture has not come after 20 s.
import { signedIn } from './page.mjs';

const [url, username, session, count] = process.argv.slice(2);
const { browser, page } = await signedIn(url, username, { width: 1600, height: 900 });
try {
  await page.goto(`${url}/recordings/${session}`);
  const slider = page.getByRole('slider', { name: 'Position in the recording' });
  await slider.waitFor();
  await page.waitForFunction(() => document.querySelector('video')?.readyState >= 2);
  await page.evaluate(() => {
    const canvas = document.createElement('canvas');
    canvas.width = 288;
    canvas.height = 32;
    const context = canvas.getContext('2d', { willReadFrequently: true });
    const bits = (x) => {
      context.drawImage(document.querySelector('video'), x, 0, 288, 32, 0, 0, 288, 32);
      let value = 0;
      for (let i = 0; i < 9; i++) {
        value = value * 2 + (context.getImageData(i * 32 + 16, 16, 1, 1).data[0] > 127 ? 1 : 0);
      }
      return value;
    };
    /** The time the picture says, in tenths of a second. */
    window.shown = () => bits(1600) * 300 + bits(0);
    window.addEventListener('pointerdown', () => (window.pressed = performance.now()), true);
    /** How long after the press the picture of about `wanted` seconds was there, in ms. */
    window.arrival = (wanted, tolerance) =>
      new Promise((resolve, reject) => {
        const end = performance.now() + 20_000;
        const look = () => {
          const video = document.querySelector('video');
          const now = video.currentTime;
          const there = !video.seeking && video.readyState >= 2 && Math.abs(now - wanted) <= tolerance;
          // A picture lasts until the next one begins, and its place is rounded to 1/90000 s.
          if (there && window.shown() === Math.floor(now * 10 + 0.01)) {
            resolve({ ms: performance.now() - window.pressed, at: now });
          } else if (performance.now() > end) {
            reject(new Error(`wanted ${wanted} s, at ${now} s, the picture of ${window.shown() / 10} s`));
          } else requestAnimationFrame(look);
        };
        look();
      });
  });
  const box = await slider.boundingBox();
  const seconds = Number(await slider.getAttribute('aria-valuemax'));
  let random = 12345;
  for (let i = 0; i < Number(count); i++) {
    random = (random * 1103515245 + 12345) % 2147483648;
    const x = Math.floor(box.width * (0.005 + 0.99 * (random / 2147483648))) + 0.5;
    await page.evaluate(
      ([wanted, tolerance]) => {
        window.next = new Promise((resolve) =>
          window.addEventListener('pointerdown', resolve, { once: true, capture: true }),
        ).then(() => window.arrival(wanted, tolerance));
      },
      [(x / box.width) * seconds, (2 * seconds) / box.width],
    );
    await page.mouse.click(box.x + x, box.y + box.height - 11);
    process.stdout.write(`${JSON.stringify(await page.evaluate(() => window.next))}\n`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
} finally {
  await browser.close();
}
