// A page of somebody who has signed in, for what measures it.
import { launch } from '../e2e/browser.mjs';

/** Starts Chromium with a page of that size; the password is in VITRINE_PASSWORD. The caller closes the browser. */
export async function signedIn(url, username, viewport) {
  const browser = await launch();
  try {
    const context = await browser.newContext({ viewport });
    const answer = await context.request.post(`${url}/api/v1/sign-in`, {
      data: { username, password: process.env.VITRINE_PASSWORD },
    });
    if (!answer.ok()) throw new Error(`sign-in: ${answer.status()}`);
    return { browser, page: await context.newPage() };
  } catch (error) {
    await browser.close();
    throw error;
  }
}
