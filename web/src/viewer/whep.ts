import { api, unwrap } from '../api/client';
import { problemOf } from '../api/problem';
import type { Role } from './protocol';

/** The gateway's answer to an offer. */
export interface Answer {
  sdp: string;
  /** The viewer's own address, for PATCH and DELETE. */
  location: string;
}

/** WHEP (draft-ietf-wish-whep) as far as a browser viewer needs it. Refusals throw ProblemError. */
export const whep = {
  /** How to reach a session: for the connection whose offer follows, since credentials last for minutes only. */
  async ice(session: string, signal: AbortSignal): Promise<RTCConfiguration> {
    const answer = await api.GET('/sessions/{session}/ice-servers', {
      params: { path: { session } },
      signal,
    });
    const { ice_servers, ice_transport_policy } = unwrap(answer);
    return { iceServers: ice_servers, iceTransportPolicy: ice_transport_policy };
  },

  async offer(session: string, role: Role, sdp: string, signal: AbortSignal): Promise<Answer> {
    const url = `/api/v1/sessions/${encodeURIComponent(session)}/whep?role=${role}`;
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/sdp', Accept: 'application/sdp' },
      body: sdp,
      signal,
    });
    if (!response.ok) throw await problemOf(response);
    const location = response.headers.get('Location');
    if (!location) throw new Error('the gateway answered an offer without a Location');
    return { sdp: await response.text(), location: new URL(location, response.url).href };
  },

  async trickle(location: string, fragment: string, signal: AbortSignal): Promise<void> {
    const response = await fetch(location, {
      method: 'PATCH',
      headers: { 'Content-Type': 'application/trickle-ice-sdpfrag' },
      body: fragment,
      signal,
    });
    if (!response.ok) throw await problemOf(response);
  },

  /** Ends the viewer, also while the page is being left. Never fails: the gateway notices a silent viewer itself. */
  close(location: string): void {
    void fetch(location, { method: 'DELETE', keepalive: true }).catch(() => undefined);
  },
};

/** An SDP fragment (RFC 8840) that carries candidates of one description. */
export function candidateFragment(offer: string, candidates: RTCIceCandidate[], complete: boolean): string {
  const line = (name: string) => new RegExp(`^a=${name}:.*$`, 'm').exec(offer)?.[0].trim();
  const lines = [line('ice-ufrag'), line('ice-pwd')].filter((l) => l !== undefined);
  const mids = new Map<string, string[]>();
  for (const candidate of candidates) {
    const mid = candidate.sdpMid ?? '0';
    mids.set(mid, [...(mids.get(mid) ?? []), `a=${candidate.candidate}`]);
  }
  if (mids.size === 0) mids.set('0', []);
  for (const [mid, attributes] of mids) {
    lines.push('m=video 9 UDP/TLS/RTP/SAVPF 0', `a=mid:${mid}`, ...attributes);
    if (complete) lines.push('a=end-of-candidates');
  }
  return `${lines.join('\r\n')}\r\n`;
}
