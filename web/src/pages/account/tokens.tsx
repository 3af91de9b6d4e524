import { Button, Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { tokensQuery, useRevokeToken, type Token } from '../../api/users';
import { Badge, Tag } from '../../components/badge';
import { Confirm } from '../../components/confirm';
import table from '../../components/page.module.css';
import { Panel } from '../../components/panel';
import classes from '../../components/panel.module.css';
import { ProblemNotice } from '../../components/states';
import { fullTime, when } from '../../lib/format';
import { useNow } from '../../lib/use-now';
import { actionLabel } from './actions';
import { TokenDialog } from './token-dialog';

/** The API tokens of a user, or one's own without: only one's own can be made. */
export function TokensPanel({ user }: { user?: string }) {
  const query = useQuery(tokensQuery(user));
  const revoke = useRevokeToken(user);
  const [revoking, setRevoking] = useState<Token | null>(null);
  const [making, setMaking] = useState(false);
  const list = query.data ?? [];
  return (
    <Panel
      title="API tokens"
      sub={user ? 'What this user’s programs act with.' : 'What your programs act with, in your name.'}
      flush
      tools={
        !user && (
          <Button size="xs" variant="light" onClick={() => setMaking(true)}>
            New token
          </Button>
        )
      }
    >
      {query.isPending && <Skeleton height={60} radius={0} aria-hidden="true" />}
      {query.error && <ProblemNotice error={query.error} onRetry={() => void query.refetch()} />}
      {query.data && list.length === 0 && <div className={classes.none}>None.</div>}
      {list.length > 0 && (
        <div className={table.scroll}>
          <table className={table.table} aria-label="API tokens">
            <thead>
              <tr>
                <th>Name</th>
                <th>May</th>
                <th>Expires</th>
                <th>Last used</th>
                <th aria-label="Actions" />
              </tr>
            </thead>
            <tbody>
              {list.map((t) => (
                <Row key={t.id} token={t} onRevoke={() => setRevoking(t)} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {making && <TokenDialog onClose={() => setMaking(false)} />}
      <Confirm
        opened={revoking !== null}
        title={`Revoke ${revoking?.name ?? ''}?`}
        action="Revoke"
        busy={revoke.isPending}
        error={revoke.error}
        onConfirm={() => revoking && revoke.mutate(revoking.id, { onSuccess: () => setRevoking(null) })}
        onClose={() => setRevoking(null)}
      >
        Programs that use it are refused at once.
      </Confirm>
    </Panel>
  );
}

function Row({ token, onRevoke }: { token: Token; onRevoke: () => void }) {
  const expired = new Date(token.expires_at).getTime() <= useNow(true, 60_000);
  return (
    <tr>
      <td className={table.strong}>{token.name}</td>
      <td>
        <span style={{ display: 'inline-flex', flexWrap: 'wrap', gap: 4 }}>
          {token.scopes.map((s) => (
            <Tag key={s}>{actionLabel(s)}</Tag>
          ))}
        </span>
      </td>
      <td className={table.nowrap} title={fullTime(token.expires_at)}>
        {expired ? <Badge tone="bad" label="Expired" /> : when(token.expires_at)}
      </td>
      <td className={table.nowrap}>
        {token.last_used_at ? (
          <>
            <span title={fullTime(token.last_used_at)}>{when(token.last_used_at)}</span>
            <div className={`${table.small ?? ''} mono`}>{token.last_address}</div>
          </>
        ) : (
          'Never'
        )}
      </td>
      <td>
        <div className={table.actions}>
          <Button size="xs" variant="default" onClick={onRevoke} aria-label={`Revoke ${token.name}`}>
            Revoke
          </Button>
        </div>
      </td>
    </tr>
  );
}
