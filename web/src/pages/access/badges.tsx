import type { AccessGrant, AccessRequest } from '../../api/access';
import { Badge } from '../../components/badge';

export function RequestBadge({ request }: { request: AccessRequest }) {
  const yes = request.decisions.filter((d) => d.verdict === 'approved').length;
  switch (request.state) {
    case 'pending':
      return (
        <Badge
          tone="warn"
          pulse
          label={request.approvals > 1 ? `Waiting, ${yes} of ${request.approvals}` : 'Waiting'}
        />
      );
    case 'approved':
      return <Badge tone="good" label="Approved" />;
    case 'denied':
      return <Badge tone="bad" label="Denied" />;
    case 'cancelled':
      return <Badge tone="quiet" label="Taken back" />;
    case 'expired':
      return <Badge tone="quiet" label="Expired" title="Nobody decided in time" />;
    case 'needs_review':
      return <Badge tone="bad" pulse label="To be reviewed" />;
    case 'reviewed':
      return <Badge tone="good" label="Reviewed" />;
  }
}

/** How a grant stands at a moment; states are written down a little later than they come true. */
export function grantPhase(grant: AccessGrant, now: number): 'now' | 'later' | 'over' {
  if (grant.state === 'ended' || grant.state === 'expired' || Date.parse(grant.window.until) <= now)
    return 'over';
  if (Date.parse(grant.window.from) > now) return 'later';
  return 'now';
}
