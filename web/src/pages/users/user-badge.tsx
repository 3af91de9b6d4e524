import type { User } from '../../api/users';
import { Badge } from '../../components/badge';
import { fullTime } from '../../lib/format';

export function UserBadge({ user }: { user: User }) {
  if (user.disabled) return <Badge tone="bad" label="Disabled" />;
  if (user.locked_until) {
    return (
      <Badge tone="warn" label="Locked" title={`Until ${fullTime(user.locked_until)}, after failed tries`} />
    );
  }
  if (user.must_change_password) {
    return <Badge tone="quiet" label="New password" title="Has to change the password at the next sign-in" />;
  }
  return <Badge tone="good" label="Active" />;
}
