import type { AuditEntry } from '../../api/audit';
import { Badge } from '../../components/badge';

/** terminate_session is "Terminate session". */
export function actionName(action: string): string {
  const words = action.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function actorName(entry: AuditEntry): string {
  return entry.actor.name ?? (entry.actor.kind === 'anonymous' ? 'Nobody signed in' : 'The gateway');
}

export function objectName(entry: AuditEntry): string {
  const { object } = entry;
  if (!object) return '';
  return `${object.kind?.replaceAll('_', ' ') ?? ''} ${object.name ?? object.id ?? ''}`.trim();
}

const outcomes = {
  success: { tone: 'good', label: 'Success' },
  denied: { tone: 'bad', label: 'Denied' },
  failed: { tone: 'warn', label: 'Failed' },
} as const;

export function OutcomeBadge({ outcome }: { outcome: AuditEntry['outcome'] }) {
  return <Badge {...outcomes[outcome]} />;
}
