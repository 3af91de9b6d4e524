// A browser that watches one session and says when the beacon in its top left corner changes colour.
//
// usage: node watch.mjs URL USER SESSION SECONDS, the password in VITRINE_PASSWORD
//        node watch.mjs URL USER connect=TARGET SECONDS, to start a session from the page of targets, by its name there
//
// Prints one JSON object a line: {"first": ms, "after": ms} once, the unix time of the first picture and how long it took
// from the click on Connect or from opening the session's page, and {"colour": index, "at": ms} for every change: the
// unix time at which a new colour could be read from the picture in the page, the video with the tiles over it. And once a
// second {"stats": {"at": ms, "video": bytes, "patches": bytes, "messages": n, "frames": n}}: what has come so far on each lane.
import { signedIn } from './page.mjs';

const [url, username, session, seconds] = process.argv.slice(2);
const { browser, page } = await signedIn(url, username, { width: 1920, height: 1130 });
try {
  await page.addInitScript(() => {
    const Peer = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Peer {
      constructor(...args) {
        super(...args);
        window.peer = this;
      }
    };
  });
  await page.exposeFunction('report', (line) => process.stdout.write(`${JSON.stringify(line)}\n`));
  const target = session.startsWith('connect=') ? session.slice('connect='.length) : null;
  let began = Date.now();
  if (target) {
    await page.goto(`${url}/targets`);
    const connect = page.getByRole('button', { name: `Connect to ${target}` });
    await connect.waitFor();
    began = Date.now();
    await connect.click();
  } else {
    await page.goto(`${url}/sessions/${session}`);
  }
  await page.waitForSelector('video');
  await page.evaluate((began) => {
    const COLOURS = [
      [255, 0, 0],
      [0, 255, 0],
      [0, 0, 255],
      [255, 255, 0],
      [255, 0, 255],
      [0, 255, 255],
      [255, 255, 255],
    ];
    const video = document.querySelector('video');
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    let last = -1;
    let first = true;
    const look = () => {
      requestAnimationFrame(look);
      if (video.readyState < 2) return;
      canvas.drawImage(video, 32, 32, 1, 1, 0, 0, 1, 1);
      const tiles = document.querySelector('[data-testid="desktop"] canvas');
      if (tiles?.width > 33) canvas.drawImage(tiles, 32, 32, 1, 1, 0, 0, 1, 1);
      const [r, g, b] = canvas.getImageData(0, 0, 1, 1).data;
      const at = performance.timeOrigin + performance.now();
      if (first) {
        first = false;
        window.report({ first: at, after: at - began });
      }
      const colour = COLOURS.findIndex(
        (c) => Math.abs(c[0] - r) + Math.abs(c[1] - g) + Math.abs(c[2] - b) < 60,
      );
      if (colour >= 0 && colour !== last) {
        last = colour;
        window.report({ colour, at });
      }
    };
    requestAnimationFrame(look);
    setInterval(async () => {
      const stats = {
        at: performance.timeOrigin + performance.now(),
        video: 0,
        patches: 0,
        messages: 0,
        frames: 0,
      };
      for (const s of (await window.peer.getStats()).values()) {
        if (s.type === 'inbound-rtp' && s.kind === 'video') {
          stats.video = s.bytesReceived + s.headerBytesReceived;
          stats.frames = s.framesDecoded;
        }
        if (s.type === 'data-channel' && s.label === 'patches') {
          stats.patches = s.bytesReceived;
          stats.messages = s.messagesReceived;
        }
      }
      window.report({ stats });
    }, 500);
  }, began);
  await new Promise((over) => {
    setTimeout(over, Number(seconds) * 1000).unref();
    browser.once('disconnected', over); // by SIGINT
  });
} finally {
  await browser.close();
}
