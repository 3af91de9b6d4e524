import type { AccessRequest, AccessWindow } from '../../api/access';
import { duration } from '../../lib/format';

const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const date = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric', month: 'short' });

function day(at: Date, now: Date): string {
  const midnight = (d: Date) => new Date(d.getFullYear(), d.getMonth(), d.getDate()).getTime();
  const days = Math.round((midnight(at) - midnight(now)) / 86_400_000);
  if (days === 0) return 'Today';
  if (days === 1) return 'Tomorrow';
  if (days === -1) return 'Yesterday';
  return date.format(at);
}

/** A window for people: Today 14:05–18:00, Tomorrow 22:00 – Wed 4 Mar 02:00. */
export function windowText(window: AccessWindow, now = new Date()): string {
  const from = new Date(window.from);
  const until = new Date(window.until);
  const begin = `${day(from, now)} ${time.format(from)}`;
  return from.toDateString() === until.toDateString()
    ? `${begin}–${time.format(until)}`
    : `${begin} – ${day(until, now)} ${time.format(until)}`;
}

export const lengthOf = (window: AccessWindow): number => Date.parse(window.until) - Date.parse(window.from);

/** What was asked for, or what became of it: a window that begins with the approval is but a length until then. */
export function requestWindow(request: AccessRequest): string {
  if (request.floating && request.state === 'pending') {
    return `${duration(lengthOf(request.window))} from the approval on`;
  }
  return windowText(request.window);
}

/** Whether approvers left less than was asked for. */
export function shortened(request: AccessRequest): boolean {
  return lengthOf(request.window) < lengthOf(request.wanted);
}

/** The value of an input of type datetime-local: local time, without a zone. */
export function localInput(at: Date): string {
  const shifted = new Date(at.getTime() - at.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}

/** The moment an input of type datetime-local names; undefined when it is empty or makes no sense. */
export function fromLocalInput(value: string): Date | undefined {
  const at = new Date(value);
  return Number.isNaN(at.getTime()) ? undefined : at;
}

/** 1 person, 2 people. */
export const people = (n: number): string =>
  n === 1 ? 'one person' : n === 2 ? 'two people' : `${n} people`;
