import { useQuery } from '@tanstack/react-query';
import { IconAlertTriangle } from '@tabler/icons-react';
import { Link } from 'react-router';
import { useCan } from '../api/me';
import { healthQuery } from '../api/system';
import { needLabel } from '../pages/system/needs';
import classes from './health-notice.module.css';

/** Tells who manages the gateway, on every page, that no session can begin and why. */
export function HealthNotice() {
  const can = useCan();
  const { data } = useQuery({ ...healthQuery, enabled: can('manage_system') });
  if (data?.sessions !== 'refused') return null;
  const failing = data.checks.filter((c) => c.state === 'failing').map((c) => needLabel(c.name));
  return (
    <div className={classes.notice} role="alert">
      <IconAlertTriangle size={18} stroke={1.6} aria-hidden="true" />
      <span>No session can begin: {failing.join(', ')}.</span>
      <Link to="/system">See why</Link>
    </div>
  );
}
