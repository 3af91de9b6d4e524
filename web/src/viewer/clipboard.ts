import { splitUtf8, utf8Length, type ClipMessage } from './protocol';

/** One clipboard text, in bytes of UTF-8 (PROTOCOL.md, clipboard). */
export const maxClipboardBytes = 1 << 20;

/** Text in one message, in bytes of UTF-8. */
const partBytes = 16 * 1024;
/** The same where JSON escapes so much, a byte into six, that a message would exceed its 64 KiB. */
const escapedPartBytes = 10 * 1024;
const maxEscapedBytes = 60 * 1024;

/** A text too long for the clipboard, with the figures people need. */
export class ClipboardTooLargeError extends Error {
  override readonly name = 'ClipboardTooLargeError';

  constructor(readonly size: number) {
    super(
      `This text is ${(size / (1 << 20)).toFixed(1)} MiB long; the clipboard carries at most ` +
        `${maxClipboardBytes >> 20} MiB. Nothing was sent.`,
    );
  }
}

/** LF line ends, as the protocol wants them. */
export function normalizeLines(text: string): string {
  return text.replace(/\r\n?/g, '\n');
}

/** The messages that carry one text; throws ClipboardTooLargeError. */
export function clipMessages(id: number, text: string): ClipMessage[] {
  const size = utf8Length(text);
  if (size > maxClipboardBytes) throw new ClipboardTooLargeError(size);
  let pieces = text === '' ? [''] : splitUtf8(text, partBytes);
  if (pieces.some((piece) => utf8Length(JSON.stringify(piece)) > maxEscapedBytes)) {
    pieces = splitUtf8(text, escapedPartBytes);
  }
  return pieces.map((piece, part) => ({ t: 'clip', id, part, parts: pieces.length, text: piece }));
}

/** Puts texts together again from their parts. A part out of order drops its text. */
export class ClipAssembler {
  private id = -1;
  private parts = 0;
  private next = 0;
  private text = '';

  /** Takes one part; returns the whole text when it was the last, otherwise null. */
  add(m: ClipMessage): string | null {
    if (m.part === 0) {
      this.id = m.id;
      this.parts = m.parts;
      this.next = 0;
      this.text = '';
    }
    if (m.id !== this.id || m.parts !== this.parts || m.part !== this.next) {
      this.reset();
      return null;
    }
    this.text += m.text;
    this.next++;
    if (utf8Length(this.text) > maxClipboardBytes) {
      this.reset();
      return null;
    }
    if (this.next < this.parts) return null;
    const whole = this.text;
    this.reset();
    return whole;
  }

  private reset(): void {
    this.id = -1;
    this.text = '';
  }
}
