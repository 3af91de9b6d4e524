import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Peer } from './peer';
import { whep } from './whep';

/** What was done to the connection, in order. */
let done: unknown[] = [];
const offer = vi.fn<typeof whep.offer>();

class FakeConnection {
  connectionState = 'new';
  localDescription: { sdp: string } | null = null;
  addTransceiver = () => ({ receiver: {}, setCodecPreferences: () => undefined });
  createDataChannel = () => ({ readyState: 'connecting' });
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
  lost: () => undefined,
};
const ice: RTCConfiguration = {
  iceServers: [{ urls: ['turn:gw.example:3478'], username: 'u', credential: 'p' }],
  iceTransportPolicy: 'relay',
};

beforeEach(() => {
  done = [];
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
