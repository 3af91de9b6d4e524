import { expect, it, vi } from 'vitest';
import { Loader } from './loader';

const signal = new AbortController().signal;

it('fetches a closed file once, also when asked twice at a time', async () => {
  const fetchFile = vi.fn((name: string) => Promise.resolve(new TextEncoder().encode(name)));
  const loader = new Loader(fetchFile, signal);
  const [a, b] = await Promise.all([loader.load('x'), loader.load('x')]);
  expect(a).toBe(b);
  await loader.load('x');
  expect(fetchFile).toHaveBeenCalledTimes(1);
});

it('asks again after a failure, and always for a file that grows', async () => {
  const fetchFile = vi
    .fn<(name: string, signal: AbortSignal) => Promise<Uint8Array>>()
    .mockRejectedValueOnce(new Error('broken'))
    .mockResolvedValue(new Uint8Array(1));
  const loader = new Loader(fetchFile, signal);
  await expect(loader.load('x')).rejects.toThrow('broken');
  await loader.load('x');
  await loader.loadOpen('y');
  await loader.loadOpen('y');
  expect(fetchFile).toHaveBeenCalledTimes(4);
});

it('forgets what was not used for longest when it holds too much', async () => {
  const fetchFile = vi.fn(() => Promise.resolve(new Uint8Array(30 << 20)));
  const loader = new Loader(fetchFile, signal);
  await loader.load('a');
  await loader.load('b');
  await loader.load('a');
  await loader.load('c');
  await loader.load('a');
  expect(fetchFile).toHaveBeenCalledTimes(3);
  await loader.load('b');
  expect(fetchFile).toHaveBeenCalledTimes(4);
});
