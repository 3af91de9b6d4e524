import type { Session } from '../../api/client';

export const levels = ['low', 'elevated', 'high', 'critical'] as const;
export type Level = (typeof levels)[number];

/** What people see of a session's state: a frozen one that waits for its target is only reconnecting. */
export type Standing = 'connecting' | 'active' | 'frozen' | 'reconnecting';
export const standings: Standing[] = ['active', 'frozen', 'reconnecting', 'connecting'];

export function standing(s: Session): Standing {
  if (s.state === 'frozen') return s.frozen ? 'frozen' : 'reconnecting';
  return s.state === 'connecting' ? 'connecting' : 'active';
}

export const sorts = ['risk', 'newest', 'oldest', 'user', 'target'] as const;
export type Sort = (typeof sorts)[number];

/** What is shown of the wall. Empty: all. */
export interface Choice {
  text: string;
  user: string;
  target: string;
  tag: string;
  state: string;
  /** This level and those above. */
  risk: string;
  sort: Sort;
}

export const rank = (s: Session): number => levels.indexOf(s.risk?.level ?? 'low');

function matches(s: Session, c: Choice): boolean {
  const text = [
    s.user.name,
    s.target.name,
    s.account?.name,
    s.client_address,
    s.desktop_name,
    ...(s.tags ?? []),
  ]
    .join(' ')
    .toLowerCase();
  return (
    c.text
      .toLowerCase()
      .split(/\s+/)
      .every((word) => text.includes(word)) &&
    (!c.user || s.user.id === c.user) &&
    (!c.target || s.target.id === c.target) &&
    (!c.tag || (s.tags ?? []).includes(c.tag)) &&
    (!c.state || standing(s) === c.state) &&
    (!c.risk || rank(s) >= levels.indexOf(c.risk as Level))
  );
}

/** Ids are in order of time: they decide between equals, so that cards do not jump about. */
const newest = (a: Session, b: Session) => (a.id < b.id ? 1 : -1);
const orders: Record<Sort, (a: Session, b: Session) => number> = {
  risk: (a, b) => (b.risk?.score ?? 0) - (a.risk?.score ?? 0) || newest(a, b),
  newest,
  oldest: (a, b) => newest(b, a),
  user: (a, b) => a.user.name.localeCompare(b.user.name) || newest(a, b),
  target: (a, b) => a.target.name.localeCompare(b.target.name) || newest(a, b),
};

export function choose(sessions: Session[], c: Choice): Session[] {
  return sessions.filter((s) => matches(s, c)).sort(orders[c.sort]);
}

/** Values with names, each once and in order: what can be chosen from. */
export function options(pairs: [value: string, label: string][]): { value: string; label: string }[] {
  return [...new Map(pairs)]
    .map(([value, label]) => ({ value, label }))
    .sort((a, b) => a.label.localeCompare(b.label));
}
