import { Button, Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { signInsQuery, useRevokeSignIn, type BrowserSignIn } from '../../api/users';
import { Badge } from '../../components/badge';
import { Confirm } from '../../components/confirm';
import table from '../../components/page.module.css';
import { Panel } from '../../components/panel';
import classes from '../../components/panel.module.css';
import { ProblemNotice } from '../../components/states';
import { browserName } from '../../lib/browser';
import { fullTime, when } from '../../lib/format';
import { sourceLabel } from '../../lib/roles';

const methods: Record<string, string> = { password: 'Password', passkey: 'Passkey' };

/** The browsers somebody is signed in with: a user's, or one's own without. */
export function SignInsPanel({ user }: { user?: string }) {
  const query = useQuery(signInsQuery(user));
  const revoke = useRevokeSignIn(user);
  const [ending, setEnding] = useState(false);
  const list = query.data ?? [];
  const others = list.filter((s) => !s.current).length;
  return (
    <Panel
      title="Sign-ins"
      sub={
        user
          ? 'Browsers this user is signed in with.'
          : 'Browsers you are signed in with. End those you do not know.'
      }
      flush
      tools={
        others > 0 && (
          <Button size="xs" variant="default" onClick={() => setEnding(true)}>
            {user ? 'End all' : 'End all others'}
          </Button>
        )
      }
    >
      {query.isPending && <Skeleton height={90} radius={0} aria-hidden="true" />}
      {query.error && <ProblemNotice error={query.error} onRetry={() => void query.refetch()} />}
      {revoke.error && !ending && <ProblemNotice error={revoke.error} />}
      {query.data && list.length === 0 && <div className={classes.none}>None.</div>}
      {list.length > 0 && (
        <div className={table.scroll}>
          <table className={table.table} aria-label="Sign-ins">
            <thead>
              <tr>
                <th>Browser</th>
                <th>Address</th>
                <th>Signed in</th>
                <th>Last used</th>
                <th aria-label="Actions" />
              </tr>
            </thead>
            <tbody>
              {list.map((s) => (
                <Row key={s.id} signIn={s} busy={revoke.isPending} onEnd={() => revoke.mutate(s.id)} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      <Confirm
        opened={ending}
        title={user ? 'End every sign-in?' : 'End every other sign-in?'}
        action="End them"
        busy={revoke.isPending}
        error={revoke.error}
        onConfirm={() => revoke.mutate(undefined, { onSuccess: () => setEnding(false) })}
        onClose={() => setEnding(false)}
      >
        {user
          ? 'The user has to sign in again everywhere. API tokens stay.'
          : 'You stay signed in here and have to sign in again everywhere else.'}
      </Confirm>
    </Panel>
  );
}

function Row({ signIn, busy, onEnd }: { signIn: BrowserSignIn; busy: boolean; onEnd: () => void }) {
  const method = methods[signIn.method] ?? sourceLabel(signIn.method);
  return (
    <tr>
      <td>
        <span className={table.strong} title={signIn.user_agent}>
          {browserName(signIn.user_agent)}
        </span>
        <div className={table.small}>
          {method}
          {signIn.mfa_at ? ' and second factor' : ''}
        </div>
      </td>
      <td className="mono">{signIn.address}</td>
      <td className={table.nowrap} title={fullTime(signIn.created_at)}>
        {when(signIn.created_at)}
      </td>
      <td className={table.nowrap} title={fullTime(signIn.seen_at)}>
        {when(signIn.seen_at)}
      </td>
      <td>
        <div className={table.actions}>
          {signIn.current ? (
            <Badge tone="good" label="This browser" />
          ) : (
            <Button
              size="xs"
              variant="default"
              disabled={busy}
              onClick={onEnd}
              aria-label={`End the sign-in of ${browserName(signIn.user_agent)} from ${signIn.address}`}
            >
              End
            </Button>
          )}
        </div>
      </td>
    </tr>
  );
}
