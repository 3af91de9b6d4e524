import { Button } from '@mantine/core';
import { IconMapOff } from '@tabler/icons-react';
import { Link, useRouteError } from 'react-router';
import { Empty, ProblemNotice } from '../components/states';
import { useTitle } from '../lib/use-title';

export function NotFound() {
  useTitle('Not found');
  return (
    <Empty icon={<IconMapOff size={36} stroke={1.3} />} title="There is no such page">
      <p>The address may be mistyped, or what it named is gone.</p>
      <Button component={Link} to="/targets" variant="default">
        Go to the targets
      </Button>
    </Empty>
  );
}

/** Stands in for a page that broke. */
export function RouteError() {
  const error = useRouteError();
  return (
    <main style={{ maxWidth: 640, margin: '16vh auto 0', padding: 24 }}>
      <ProblemNotice error={error} onRetry={() => window.location.reload()} />
    </main>
  );
}
