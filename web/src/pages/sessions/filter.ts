import type { Session } from '../../api/client';

/** Tells whether every word of `search` is found in what names a session. */
export function matchesSession(session: Session, search: string): boolean {
  const text = [
    session.id,
    session.state,
    session.user.name,
    session.target.name,
    session.client_address,
    session.desktop_name,
    session.end?.message,
  ]
    .join(' ')
    .toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
