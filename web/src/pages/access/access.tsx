import { Button, Group, Skeleton, Textarea } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { IconKey } from '@tabler/icons-react';
import { useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import {
  accessGrantsQuery,
  accessRequestsQuery,
  useCancelRequest,
  useEndGrant,
  type AccessGrant,
  type AccessRequest,
} from '../../api/access';
import { Badge } from '../../components/badge';
import { Confirm } from '../../components/confirm';
import { PageHead } from '../../components/page';
import pageClasses from '../../components/page.module.css';
import { Empty, ProblemNotice } from '../../components/states';
import { clock, count, duration, fullTime, when } from '../../lib/format';
import { useNow } from '../../lib/use-now';
import { useTitle } from '../../lib/use-title';
import { Connecting } from '../targets/connecting';
import { useConnect } from '../targets/use-connect';
import classes from './access.module.css';
import { grantPhase, RequestBadge } from './badges';
import { DetailsDialog } from './details-dialog';
import { requestWindow, shortened, windowText } from './format';

/** One's own grants and requests. */
export function AccessPage() {
  useTitle('My access');
  const grants = useQuery(accessGrantsQuery('own'));
  const requests = useInfiniteQuery(accessRequestsQuery('own', 'all'));
  const { request } = useParams();
  const navigate = useNavigate();
  const [ending, setEnding] = useState<AccessGrant | null>(null);
  const connect = useConnect();
  const now = useNow(true);

  const open = (grants.data ?? [])
    .filter((g) => grantPhase(g, now) !== 'over')
    .sort((a, b) => Date.parse(a.window.from) - Date.parse(b.window.from));
  const list = requests.data?.pages.flatMap((page) => page.requests) ?? [];

  return (
    <>
      <PageHead title="My access" sub="What you were given, and what you asked for.">
        <Button component={Link} to="/targets" variant="default">
          Ask for access
        </Button>
      </PageHead>

      {grants.error && <ProblemNotice error={grants.error} onRetry={() => void grants.refetch()} />}
      {grants.isPending && <Skeleton height={150} radius="md" aria-hidden="true" />}
      {grants.data &&
        (open.length > 0 ? (
          <div className={classes.cards}>
            {open.map((g) => (
              <GrantCard
                key={g.id}
                grant={g}
                now={now}
                onConnect={() => connect.mutate({ id: g.target.id, name: g.target.name, account: g.account })}
                onEnd={() => setEnding(g)}
              />
            ))}
          </div>
        ) : (
          <Empty icon={<IconKey size={36} stroke={1.3} />} title="No access for now">
            Ask for it at the target you need. What others approve appears here, with the time it lasts.
          </Empty>
        ))}

      <h2 className={pageClasses.section}>Requests</h2>
      {requests.error && <ProblemNotice error={requests.error} onRetry={() => void requests.refetch()} />}
      {requests.isPending && <Skeleton height={120} radius="md" aria-hidden="true" />}
      {requests.data && list.length === 0 && <p className={pageClasses.dim}>None yet.</p>}
      {list.length > 0 && <RequestTable requests={list} onOpen={(id) => void navigate(`/access/${id}`)} />}
      {requests.hasNextPage && (
        <Button
          mt="md"
          variant="default"
          loading={requests.isFetchingNextPage}
          onClick={() => void requests.fetchNextPage()}
        >
          Older requests
        </Button>
      )}

      <DetailsDialog id={request ?? null} onClose={() => void navigate('/access')} />
      <EndDialog grant={ending} onClose={() => setEnding(null)} />
      {(connect.isPending || connect.isError) && (
        <Connecting
          target={connect.variables}
          error={connect.error}
          onRetry={() => connect.mutate(connect.variables)}
          onGive={(given) => connect.mutate({ ...connect.variables, ...given })}
          onBack={() => connect.reset()}
          back="Back to your access"
        />
      )}
    </>
  );
}

interface GrantCardProps {
  grant: AccessGrant;
  now: number;
  onConnect: () => void;
  onEnd: () => void;
}

/** Under so many milliseconds left, a grant's clock warns. */
const soonMs = 10 * 60_000;

function GrantCard({ grant: g, now, onConnect, onEnd }: GrantCardProps) {
  const phase = grantPhase(g, now);
  const from = Date.parse(g.window.from);
  const until = Date.parse(g.window.until);
  const left = until - now;
  const running = g.sessions[0];
  return (
    <article className={classes.grant} data-phase={phase} aria-label={`Access to ${g.target.name}`}>
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <div>
          <h2 className={classes.name}>{g.target.name}</h2>
          <div className={classes.window}>
            {g.account && <>as {g.account} · </>}
            {windowText(g.window)}
          </div>
        </div>
        {phase === 'now' ? <Badge tone="good" label="Open" pulse /> : <Badge tone="warn" label="Coming" />}
      </Group>
      <div>
        <div className={classes.count}>
          <span
            className={`${classes.clock ?? ''} tabular`}
            data-soon={phase === 'now' && left < soonMs ? true : undefined}
          >
            {phase === 'now' ? clock(left) : duration(from - now)}
          </span>
          <span className={classes.window}>{phase === 'now' ? 'left' : 'until it begins'}</span>
        </div>
        {phase === 'now' && (
          <progress
            className={classes.bar}
            max={until - from}
            value={Math.max(0, left)}
            aria-label="Time left"
          />
        )}
      </div>
      <div className={classes.foot}>
        <span className={classes.window}>
          {g.sessions.length > 0
            ? count(g.sessions.length, 'session runs', 'sessions run')
            : g.once
              ? g.starts > 0
                ? 'Its one session is over'
                : 'For one session'
              : ''}
        </span>
        <Group gap="xs" wrap="nowrap">
          <Button
            size="sm"
            variant="default"
            onClick={onEnd}
            aria-label={`End the access to ${g.target.name}`}
          >
            End early
          </Button>
          {phase === 'now' &&
            (running ? (
              <Button size="sm" component={Link} to={`/sessions/${running}`}>
                Return
              </Button>
            ) : (
              <Button
                size="sm"
                disabled={g.state === 'used_up'}
                onClick={onConnect}
                aria-label={`Connect to ${g.target.name}`}
              >
                Connect
              </Button>
            ))}
        </Group>
      </div>
    </article>
  );
}

function RequestTable({ requests, onOpen }: { requests: AccessRequest[]; onOpen: (id: string) => void }) {
  const cancel = useCancelRequest();
  return (
    <>
      {cancel.error && <ProblemNotice error={cancel.error} />}
      <div className={pageClasses.card}>
        <div className={pageClasses.scroll}>
          <table className={pageClasses.table} aria-label="Your requests">
            <thead>
              <tr>
                <th>State</th>
                <th>Target</th>
                <th>When</th>
                <th>Reason</th>
                <th>Asked</th>
                <th aria-label="Actions" />
              </tr>
            </thead>
            <tbody>
              {requests.map((r) => (
                <tr key={r.id}>
                  <td>
                    <RequestBadge request={r} />
                    {r.kind === 'break_glass' && <div className={pageClasses.small}>Break-glass</div>}
                  </td>
                  <td>
                    <button type="button" className={classes.plain} onClick={() => onOpen(r.id)}>
                      {r.target.name}
                    </button>
                    {r.account && <div className={pageClasses.small}>as {r.account}</div>}
                  </td>
                  <td className={pageClasses.nowrap}>
                    {requestWindow(r)}
                    {shortened(r) && <div className={pageClasses.small}>shortened</div>}
                  </td>
                  <td>
                    <div className={classes.reason}>{r.reason}</div>
                    {r.ticket && <div className={pageClasses.small}>{r.ticket}</div>}
                  </td>
                  <td className={pageClasses.nowrap} title={fullTime(r.created_at)}>
                    {when(r.created_at)}
                  </td>
                  <td>
                    <div className={pageClasses.actions}>
                      {r.state === 'pending' && (
                        <Button
                          size="xs"
                          variant="default"
                          loading={cancel.isPending && cancel.variables.id === r.id}
                          onClick={() => cancel.mutate({ id: r.id, revision: r.revision })}
                        >
                          Take back
                        </Button>
                      )}
                    </div>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </div>
    </>
  );
}

/** Ends a grant before its time; also for those of others. */
export function EndDialog({ grant, onClose }: { grant: AccessGrant | null; onClose: () => void }) {
  const end = useEndGrant();
  const [note, setNote] = useState('');
  function close() {
    setNote('');
    end.reset();
    onClose();
  }
  return (
    <Confirm
      opened={grant !== null}
      title="End this access now?"
      action="End the access"
      busy={end.isPending}
      error={end.error}
      onClose={close}
      onConfirm={() => grant && end.mutate({ id: grant.id, note }, { onSuccess: close })}
    >
      <p style={{ margin: '0 0 14px' }}>
        {grant?.mine ? 'You' : grant?.user.name} can connect to “{grant?.target.name}” no more
        {grant && grant.sessions.length > 0 ? ', and the session that runs ends.' : '.'}
      </p>
      <Textarea
        label="A word about it"
        value={note}
        onChange={(event) => setNote(event.currentTarget.value)}
        maxLength={1000}
        rows={2}
      />
    </Confirm>
  );
}
