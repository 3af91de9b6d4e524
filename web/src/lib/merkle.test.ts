import { describe, expect, test } from 'vitest';
import { leafHash, rootOf, stated } from './merkle';

// A tree computed by the recursive definition of RFC 6962, 2.1, which the code under test does not use.
async function hash(...parts: Uint8Array[]): Promise<Uint8Array> {
  const all = Uint8Array.from(parts.flatMap((p) => [...p]));
  return new Uint8Array(await crypto.subtle.digest('SHA-256', all));
}
const base64 = (b: Uint8Array) => btoa(String.fromCharCode(...b));
const split = (n: number) => 2 ** Math.floor(Math.log2(n - 1));

async function tree(leaves: string[]): Promise<Uint8Array> {
  if (leaves.length === 1) return hash(Uint8Array.of(0), new TextEncoder().encode(leaves[0]));
  const k = split(leaves.length);
  return hash(Uint8Array.of(1), await tree(leaves.slice(0, k)), await tree(leaves.slice(k)));
}

async function path(m: number, leaves: string[]): Promise<string[]> {
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  const [here, there] = [leaves.slice(0, k), leaves.slice(k)];
  return m < k
    ? [...(await path(m, here)), base64(await tree(there))]
    : [...(await path(m - k, there)), base64(await tree(here))];
}

describe('inclusion', () => {
  test('of every leaf in trees of every size up to 20', async () => {
    const all = Array.from({ length: 20 }, (_, i) => `leaf ${i}`);
    for (let size = 1; size <= all.length; size++) {
      const leaves = all.slice(0, size);
      const root = base64(await tree(leaves));
      for (const [i, leaf] of leaves.entries()) {
        const proof = await path(i, leaves);
        expect(await rootOf(i, size, await leafHash(leaf), proof)).toBe(root);
        expect(await rootOf(i, size, await leafHash('another'), proof)).not.toBe(root);
        expect(await rootOf(i, size, await leafHash(leaf), [...proof, root])).toBeNull();
        if (proof.length > 0)
          expect(await rootOf(i, size, await leafHash(leaf), proof.slice(1))).not.toBe(root);
      }
    }
  });

  test('of nothing', async () => {
    expect(await rootOf(3, 3, await leafHash(''), [])).toBeNull();
    expect(await rootOf(-1, 3, await leafHash(''), [])).toBeNull();
  });
});

test('what a checkpoint states', () => {
  expect(stated('vitrine\n42\nabc=\n\n— vitrine x\n')).toEqual({ size: 42, root: 'abc=' });
  expect(stated('vitrine\nmany\nabc=\n')).toBeNull();
  expect(stated('')).toBeNull();
});
