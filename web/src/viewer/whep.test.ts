import { afterEach, describe, expect, it, vi } from 'vitest';
import { ProblemError } from '../api/problem';
import { candidateFragment, whep } from './whep';

afterEach(() => vi.unstubAllGlobals());

const signal = new AbortController().signal;

function stub(response: Response) {
  const fetch = vi.fn<typeof globalThis.fetch>(() => Promise.resolve(response));
  vi.stubGlobal('fetch', fetch);
  return fetch;
}

describe('whep', () => {
  it('asks for relays and the policy', async () => {
    const server = { urls: ['turn:gw.example:3478?transport=udp'], username: 'u', credential: 'p' };
    const fetch = stub(Response.json({ ice_servers: [server], ice_transport_policy: 'relay' }));
    expect(await whep.ice('S/1', signal)).toEqual({ iceServers: [server], iceTransportPolicy: 'relay' });
    const request = fetch.mock.calls[0]?.[0] as Request;
    expect(new URL(request.url).pathname).toBe('/api/v1/sessions/S%2F1/ice-servers');
  });

  it('throws the problem when relays are refused', async () => {
    const problem = { type: 'about:blank', title: 'Forbidden', status: 403, code: 'forbidden' };
    stub(Response.json(problem, { status: 403 }));
    await expect(whep.ice('S', signal)).rejects.toMatchObject({ problem });
  });

  it('offers and learns the viewer’s address', async () => {
    const response = new Response('v=0 answer', {
      status: 201,
      headers: { Location: '/api/v1/sessions/S/whep/V' },
    });
    Object.defineProperty(response, 'url', {
      value: 'https://gw.example/api/v1/sessions/S/whep?role=control',
    });
    const fetch = stub(response);
    const answer = await whep.offer('S', 'control', 'v=0 offer', signal);
    expect(answer).toEqual({ sdp: 'v=0 answer', location: 'https://gw.example/api/v1/sessions/S/whep/V' });
    expect(fetch.mock.calls[0]?.[0]).toBe('/api/v1/sessions/S/whep?role=control');
    expect(fetch.mock.calls[0]?.[1]).toMatchObject({ method: 'POST', body: 'v=0 offer' });
  });

  it('throws the problem of a refusal', async () => {
    const problem = { type: 'about:blank', title: 'Gone', status: 409, code: 'session_ended' };
    stub(new Response(JSON.stringify(problem), { status: 409 }));
    const error = await whep.offer('S', 'view', '', signal).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ProblemError);
    expect((error as ProblemError).problem).toEqual(problem);
  });

  it('ends the viewer with a request that outlives the page', () => {
    const fetch = stub(new Response(null, { status: 204 }));
    whep.close('https://gw.example/v');
    expect(fetch).toHaveBeenCalledWith('https://gw.example/v', { method: 'DELETE', keepalive: true });
  });
});

it('candidateFragment carries the credentials, the candidates of each section and the end', () => {
  const offer = 'v=0\r\na=ice-ufrag:uf\r\na=ice-pwd:pw\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n';
  const candidate = {
    candidate: 'candidate:1 1 udp 1 192.0.2.1 5000 typ host',
    sdpMid: '0',
  } as RTCIceCandidate;
  expect(candidateFragment(offer, [candidate], true)).toBe(
    [
      'a=ice-ufrag:uf',
      'a=ice-pwd:pw',
      'm=video 9 UDP/TLS/RTP/SAVPF 0',
      'a=mid:0',
      'a=candidate:1 1 udp 1 192.0.2.1 5000 typ host',
      'a=end-of-candidates',
      '',
    ].join('\r\n'),
  );
});
