import { ProblemError } from '../api/problem';
import { Hold } from './hold';
import type {
  ClipboardIncoming,
  ControlIncoming,
  ControlOutgoing,
  InputMessage,
  MotionMessage,
  Role,
} from './protocol';
import { parseClipboard, parseControl, type ClipMessage } from './protocol';
import { candidateFragment, whep } from './whep';

/** What a connection tells its owner. After `lost` it says nothing more. */
export interface PeerEvents {
  stream: (stream: MediaStream) => void;
  control: (message: ControlIncoming) => void;
  clipboard: (message: ClipboardIncoming) => void;
  /** A message of the patch lane. */
  patch: (message: ArrayBuffer) => void;
  /** The transport is up. */
  connected: () => void;
  /** What was typed and clicked since the picture was there is not sent: the channels took too long to open. */
  inputLost: () => void;
  /** The transport broke and will not come back by itself. */
  lost: () => void;
}

/** How long a transport may be silent before it is given up, in milliseconds. */
const silenceMs = 4000;
/** How long candidates are gathered before they are sent together, in milliseconds. */
const trickleMs = 60;
/** Stale motion is worth nothing: above this many bytes waiting, motion is dropped. */
const motionBacklog = 4096;

/** What of a connection's configuration does not depend on the session. */
const base = { bundlePolicy: 'max-bundle' } as const;

/** One WebRTC connection to a session: the picture in, input out. Made by open, ended by close; never reused. */
export class Peer {
  private readonly pc = new RTCPeerConnection(base);
  private readonly input: RTCDataChannel;
  private readonly motion: RTCDataChannel;
  private readonly clipboard: RTCDataChannel;
  private readonly control: RTCDataChannel;
  private patches: RTCDataChannel | null = null;
  private readonly abort = new AbortController();
  private readonly candidates: RTCIceCandidate[] = [];
  /** Input and clipboard until both of their channels are open; then null. */
  private hold: Hold | null;
  private location: string | null = null;
  private trickleTimer: ReturnType<typeof setTimeout> | null = null;
  private silenceTimer: ReturnType<typeof setTimeout> | null = null;
  private gathered = false;

  /** withPatches: ask for the patch lane. */
  constructor(
    private readonly events: PeerEvents,
    withPatches: boolean,
  ) {
    const { pc } = this;
    const transceiver = pc.addTransceiver('video', { direction: 'recvonly' });
    preferH264(transceiver);
    showAtOnce(transceiver.receiver);
    // The order is the protocol's: before the offer.
    this.input = pc.createDataChannel('input');
    this.motion = pc.createDataChannel('motion', { ordered: false, maxRetransmits: 0 });
    this.clipboard = pc.createDataChannel('clipboard');
    this.control = pc.createDataChannel('control');
    if (withPatches) {
      this.patches = pc.createDataChannel('patches', { ordered: false });
      this.patches.binaryType = 'arraybuffer';
      this.patches.onmessage = ({ data }) => events.patch(data as ArrayBuffer);
    }
    this.control.onmessage = ({ data }) => {
      const message = parseControl(data);
      if (message) events.control(message);
    };
    this.clipboard.onmessage = ({ data }) => {
      const message = parseClipboard(data);
      if (message) events.clipboard(message);
    };
    this.hold = new Hold(events.inputLost);
    this.input.onopen = this.clipboard.onopen = () => this.release();
    this.control.onclose = () => this.lose();
    pc.ontrack = ({ track, streams }) => events.stream(streams[0] ?? new MediaStream([track]));
    pc.onicecandidate = ({ candidate }) => this.gather(candidate);
    pc.onconnectionstatechange = () => this.watch();
  }

  /** Offers and connects. Throws ProblemError when the gateway refuses. */
  async open(session: string, role: Role): Promise<void> {
    const { pc, abort } = this;
    const ice = await whep.ice(session, abort.signal);
    abort.signal.throwIfAborted();
    pc.setConfiguration({ ...base, ...ice }); // before candidates are gathered
    await pc.setLocalDescription();
    const offer = pc.localDescription?.sdp ?? '';
    const answer = await whep.offer(session, role, offer, abort.signal);
    this.location = answer.location;
    if (abort.signal.aborted) {
      whep.close(answer.location);
      return;
    }
    await pc.setRemoteDescription({ type: 'answer', sdp: answer.sdp });
    this.scheduleTrickle();
  }

  /** Before the channel is open, messages wait a few seconds for it, but for the wheel's and the pointer's: nobody wants to scroll later. */
  sendInput(message: InputMessage): void {
    if (this.hold && (message.t === 'wheel' || message.t === 'move')) return;
    this.deliver(this.input, message);
  }

  sendMotion(message: MotionMessage): void {
    if (this.motion.bufferedAmount < motionBacklog) send(this.motion, message);
  }

  /** Waits as input does, so that a key that pastes still comes after the text, also where the channels overtake each other. */
  sendClipboard(message: ClipMessage): void {
    if (message.part === 0) this.sendInput({ t: 'await', clip: message.id });
    this.deliver(this.clipboard, message);
  }

  sendControl(message: ControlOutgoing): void {
    send(this.control, message);
  }

  /** Does without the patch lane from now on. */
  closePatches(): void {
    if (!this.patches) return;
    this.patches.onmessage = null;
    this.patches.close();
    this.patches = null;
  }

  getStats(): Promise<RTCStatsReport> {
    return this.pc.getStats();
  }

  /**
   * Ends the connection, and tells the gateway so unless it ended it itself. May be called while the page is
   * being left.
   */
  close(tell = true): void {
    if (this.abort.signal.aborted) return;
    this.abort.abort();
    for (const timer of [this.trickleTimer, this.silenceTimer]) if (timer !== null) clearTimeout(timer);
    this.pc.ontrack = this.pc.onicecandidate = this.pc.onconnectionstatechange = null;
    this.control.onclose = this.control.onmessage = this.clipboard.onmessage = null;
    this.input.onopen = this.clipboard.onopen = null;
    this.hold?.close();
    if (this.patches) this.patches.onmessage = null;
    this.pc.close();
    if (this.location && tell) whep.close(this.location);
  }

  private deliver(channel: RTCDataChannel, message: object): void {
    if (this.hold) this.hold.add(() => send(channel, message));
    else send(channel, message);
  }

  private release(): void {
    if (this.input.readyState !== 'open' || this.clipboard.readyState !== 'open') return;
    const { hold } = this;
    this.hold = null;
    hold?.open();
  }

  private lose(): void {
    if (this.abort.signal.aborted) return;
    this.close();
    this.events.lost();
  }

  private watch(): void {
    if (this.silenceTimer !== null) clearTimeout(this.silenceTimer);
    this.silenceTimer = null;
    switch (this.pc.connectionState) {
      case 'connected':
        this.events.connected();
        break;
      case 'disconnected':
        this.silenceTimer = setTimeout(() => this.lose(), silenceMs);
        break;
      case 'failed':
        this.lose();
        break;
    }
  }

  private gather(candidate: RTCIceCandidate | null): void {
    if (candidate?.candidate) this.candidates.push(candidate);
    else this.gathered = true;
    this.scheduleTrickle();
  }

  private scheduleTrickle(): void {
    if (this.location && this.trickleTimer === null && (this.candidates.length > 0 || this.gathered)) {
      this.trickleTimer = setTimeout(() => this.trickle(), trickleMs);
    }
  }

  private trickle(): void {
    this.trickleTimer = null;
    const offer = this.pc.localDescription?.sdp;
    if (!this.location || !offer || this.candidates.length === 0) return;
    const fragment = candidateFragment(offer, this.candidates.splice(0), this.gathered);
    // The gateway learns the candidate in use from the connectivity checks too, so a refusal breaks nothing.
    whep.trickle(this.location, fragment, this.abort.signal).catch(() => undefined);
  }
}

function send(channel: RTCDataChannel, message: object): void {
  if (channel.readyState === 'open') channel.send(JSON.stringify(message));
}

/** Puts H.264 first; everything else the gateway does not send anyway. */
function preferH264(transceiver: RTCRtpTransceiver): void {
  const codecs = RTCRtpReceiver.getCapabilities('video')?.codecs ?? [];
  const h264 = codecs.filter((c) => c.mimeType.toLowerCase() === 'video/h264');
  const repair = codecs.filter((c) => /\/(rtx|red|ulpfec|flexfec-03)$/i.test(c.mimeType));
  if (h264.length === 0) {
    throw new ProblemError({
      type: 'about:blank',
      title: 'This browser cannot play H.264 video in calls',
      status: 0,
      detail:
        'Firefox gets it with the OpenH264 plugin, which it loads by itself a while after its first start (Add-ons and themes → Plugins). ' +
        'Of other browsers take one that has it built in, such as Chrome, Edge or Safari. The session goes on meanwhile.',
      code: 'h264_missing',
    });
  }
  transceiver.setCodecPreferences([...h264, ...repair]);
}

/** Asks the browser to show frames as they come instead of smoothing over a network's jitter. */
function showAtOnce(receiver: RTCRtpReceiver & { playoutDelayHint?: number }): void {
  if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = 0;
  if ('playoutDelayHint' in receiver) receiver.playoutDelayHint = 0;
}
