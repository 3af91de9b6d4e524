import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Peer } from './peer';
import { whep } from './whep';

/** What was done to the connection, in order. */
let done: unknown[] = [];
const offer = vi.fn<typeof whep.offer>();

class FakeChannel {
  readyState = 'connecting';
  bufferedAmount = 0;
  onopen: (() => void) | null = null;
  constructor(readonly label: string) {}
  send(text: string) {
    done.push([this.label, (JSON.parse(text) as { t: string }).t]);
  }
  opens() {
    this.readyState = 'open';
    this.onopen?.();
  }
}
let channels: Record<string, FakeChannel> = {};

class FakeConnection {
  connectionState = 'new';
  localDescription: { sdp: string } | null = null;
  addTransceiver = () => ({ receiver: {}, setCodecPreferences: () => undefined });
  createDataChannel = (label: string) => (channels[label] = new FakeChannel(label));
  constructor(configuration: RTCConfiguration) {
    done.push(configuration);
  }
  setConfiguration(configuration: RTCConfiguration) {
    done.push(configuration);
  }
  setLocalDescription() {
    done.push('gathers');
    this.localDescription = { sdp: 'v=0 offer' };
    return Promise.resolve();
  }
  setRemoteDescription() {
    done.push('answered');
    return Promise.resolve();
  }
  close() {
    done.push('closed');
  }
}

const events = {
  stream: () => undefined,
  control: () => undefined,
  clipboard: () => undefined,
  patch: () => undefined,
  connected: () => undefined,
  inputLost: vi.fn<() => void>(),
  lost: () => undefined,
};
const ice: RTCConfiguration = {
  iceServers: [{ urls: ['turn:gw.example:3478'], username: 'u', credential: 'p' }],
  iceTransportPolicy: 'relay',
};

beforeEach(() => {
  done = [];
  channels = {};
  events.inputLost.mockReset();
  vi.stubGlobal('RTCPeerConnection', FakeConnection);
  vi.stubGlobal('RTCRtpReceiver', { getCapabilities: () => ({ codecs: [{ mimeType: 'video/H264' }] }) });
  offer.mockResolvedValue({ sdp: 'v=0 answer', location: 'https://gw.example/v' });
  vi.spyOn(whep, 'offer').mockImplementation(offer);
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  offer.mockReset();
});

it('knows the relays and the policy before it gathers candidates', async () => {
  const asked = vi.spyOn(whep, 'ice').mockResolvedValue(ice);
  await new Peer(events, false).open('S', 'control');
  expect(asked.mock.calls[0]?.[0]).toBe('S');
  // A bundle policy that changes would be refused.
  expect(done).toEqual([
    { bundlePolicy: 'max-bundle' },
    { bundlePolicy: 'max-bundle', ...ice },
    'gathers',
    'answered',
  ]);
});

it('offers nothing when it was closed meanwhile', async () => {
  let answer: (configuration: RTCConfiguration) => void = () => undefined;
  vi.spyOn(whep, 'ice').mockReturnValue(new Promise((resolve) => (answer = resolve)));
  const peer = new Peer(events, false);
  const opened = peer.open('S', 'view');
  peer.close();
  answer(ice);
  await expect(opened).rejects.toThrow('aborted');
  expect(done).toEqual([{ bundlePolicy: 'max-bundle' }, 'closed']);
  expect(offer).not.toHaveBeenCalled();
});

it('does not connect when it does not learn how', async () => {
  vi.spyOn(whep, 'ice').mockRejectedValue(new TypeError('Failed to fetch'));
  await expect(new Peer(events, false).open('S', 'view')).rejects.toThrow('Failed to fetch');
  expect(done).not.toContain('gathers');
});

it('says what to do where the browser has no H.264', () => {
  vi.stubGlobal('RTCRtpReceiver', { getCapabilities: () => ({ codecs: [{ mimeType: 'video/VP8' }] }) });
  expect(() => new Peer(events, false)).toThrow(/OpenH264 plugin/);
});

describe('before its channels are open', () => {
  const key = (down: boolean) => ({ t: 'key', code: 'KeyV', key: 'v', down }) as const;
  const place = { x: 1, y: 1, w: 9, h: 9, buttons: 0 };
  let peer: Peer;

  beforeEach(() => {
    vi.useFakeTimers();
    peer = new Peer(events, false);
    done = [];
  });
  afterEach(() => vi.useRealTimers());

  it('keeps keys, clicks and the clipboard in order until both channels are open, but no motion', () => {
    peer.sendInput({ t: 'button', ...place, buttons: 1 });
    peer.sendClipboard({ t: 'clip', id: 1, part: 0, parts: 1, text: 'x' });
    peer.sendInput(key(true));
    peer.sendInput({ t: 'wheel', ...place, dx: 0, dy: 1 });
    peer.sendMotion({ t: 'move', ...place, n: 1 });
    peer.sendInput({ t: 'move', ...place, n: 2 });
    channels.input!.opens();
    peer.sendInput(key(false));
    expect(done).toEqual([]);
    channels.clipboard!.opens();
    expect(done).toEqual([
      ['input', 'button'],
      ['input', 'await'],
      ['clipboard', 'clip'],
      ['input', 'key'],
      ['input', 'key'],
    ]);
    peer.sendInput({ t: 'wheel', ...place, dx: 0, dy: 1 });
    expect(done.at(-1)).toEqual(['input', 'wheel']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('sends nothing that is stale, says so once, and sends what comes after', () => {
    peer.sendInput(key(true));
    vi.advanceTimersByTime(5000);
    expect(events.inputLost).toHaveBeenCalledOnce();
    channels.clipboard!.opens();
    channels.input!.opens();
    expect(done).toEqual([]);
    peer.sendInput({ t: 'release' });
    expect(done).toEqual([['input', 'release']]);
  });

  it('forgets them when it is closed', () => {
    peer.sendInput(key(true));
    peer.close();
    channels.input!.opens();
    channels.clipboard!.opens();
    vi.advanceTimersByTime(60_000);
    expect(done).toEqual(['closed']);
    expect(events.inputLost).not.toHaveBeenCalled();
  });
});
