/** Inclusion in a Merkle tree after RFC 6962, checked here in the browser: the gateway that answers is not believed. */

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

async function sha256(...parts: Uint8Array[]): Promise<Uint8Array<ArrayBuffer>> {
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    all.set(p, at);
    at += p.length;
  }
  return new Uint8Array(await crypto.subtle.digest('SHA-256', all));
}

/** The hash of a leaf, in base64 (2.1). */
export async function leafHash(leaf: string): Promise<string> {
  return toBase64(await sha256(Uint8Array.of(0), new TextEncoder().encode(leaf)));
}

/** The root that a leaf and its audit path lead to (2.1.1), in base64; null for a path of the wrong length. */
export async function rootOf(
  index: number,
  size: number,
  leaf: string,
  path: readonly string[],
): Promise<string | null> {
  if (index < 0 || index >= size) return null;
  let node = index;
  let last = size - 1;
  let hash = fromBase64(leaf);
  for (const step of path) {
    if (last === 0) return null;
    const other = fromBase64(step);
    if (node % 2 === 1 || node === last) {
      hash = await sha256(Uint8Array.of(1), other, hash);
      while (node % 2 === 0 && node !== 0) {
        node = Math.floor(node / 2);
        last = Math.floor(last / 2);
      }
    } else {
      hash = await sha256(Uint8Array.of(1), hash, other);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? toBase64(hash) : null;
}

/** Size and root a signed checkpoint states; null for a text that is none. */
export function stated(checkpoint: string): { size: number; root: string } | null {
  const [, size, root] = checkpoint.split('\n');
  return size && root && /^\d+$/.test(size) ? { size: Number(size), root } : null;
}
