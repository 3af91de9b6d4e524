import type { Role } from '../api/users';

/** What the roles are called, and what they are for. */
export const roles: { value: Role; label: string; what: string }[] = [
  { value: 'administrator', label: 'Administrator', what: 'Users, targets, policies and everything else' },
  { value: 'user', label: 'User', what: 'Connects to targets' },
  { value: 'supervisor', label: 'Supervisor', what: 'Watches sessions and steps in' },
  { value: 'reviewer', label: 'Reviewer', what: 'Replays recordings and reads the audit log' },
];

export const roleLabel = (role: string): string => roles.find((r) => r.value === role)?.label ?? role;

/** Who vouches for somebody: "Local", "corp (OpenID)", "ad (directory)". */
export function sourceLabel(source: string): string {
  const [kind, name] = source.split(':', 2);
  if (kind === 'oidc') return `${name ?? ''} (OpenID)`;
  if (kind === 'ldap') return `${name ?? ''} (directory)`;
  return 'Local';
}
