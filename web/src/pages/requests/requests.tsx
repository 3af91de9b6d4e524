import { Button, Group, Skeleton } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { IconInbox, IconUrgent } from '@tabler/icons-react';
import { useState } from 'react';
import { useNavigate, useParams } from 'react-router';
import {
  accessGrantsQuery,
  accessRequestQuery,
  accessRequestsQuery,
  type AccessGrant,
  type AccessRequest,
} from '../../api/access';
import { PageHead } from '../../components/page';
import pageClasses from '../../components/page.module.css';
import { Empty, ProblemNotice } from '../../components/states';
import { duration, fullTime, when } from '../../lib/format';
import { useNow } from '../../lib/use-now';
import { useTitle } from '../../lib/use-title';
import { EndDialog } from '../access/access';
import accessClasses from '../access/access.module.css';
import { grantPhase, RequestBadge } from '../access/badges';
import { DetailsDialog } from '../access/details-dialog';
import { requestWindow, windowText } from '../access/format';
import { DecideDialog, type Verdict } from './decide-dialog';
import classes from './requests.module.css';

/** What others ask for and the signed-in person may decide on. */
export function RequestsPage() {
  useTitle('Requests');
  const waiting = useInfiniteQuery(accessRequestsQuery('inbox', 'open'));
  const decided = useInfiniteQuery(accessRequestsQuery('inbox', 'closed'));
  const grants = useQuery(accessGrantsQuery('others'));
  const { request: opened } = useParams();
  const navigate = useNavigate();
  const [deciding, setDeciding] = useState<{ request: AccessRequest; verdict: Verdict } | null>(null);
  const [ending, setEnding] = useState<AccessGrant | null>(null);
  const now = useNow(true);

  // Broken glass first, then who has waited longest.
  const open = (waiting.data?.pages.flatMap((page) => page.requests) ?? [])
    .slice()
    .sort(
      (a, b) =>
        Number(b.kind === 'break_glass') - Number(a.kind === 'break_glass') || a.id.localeCompare(b.id),
    );
  const past = decided.data?.pages.flatMap((page) => page.requests) ?? [];
  const inForce = (grants.data ?? []).filter((g) => grantPhase(g, now) !== 'over');
  const show = (id: string) => void navigate(`/requests/${id}`);

  return (
    <>
      <PageHead title="Requests" sub="Access others ask for, and that you may decide on." />

      {waiting.error && <ProblemNotice error={waiting.error} onRetry={() => void waiting.refetch()} />}
      {waiting.isPending && <Skeleton height={180} radius="md" aria-hidden="true" />}
      {waiting.data &&
        (open.length > 0 ? (
          <div className={classes.cards}>
            {open.map((r) => (
              <RequestCard
                key={r.id}
                request={r}
                now={now}
                onDecide={(verdict) => setDeciding({ request: r, verdict })}
              />
            ))}
          </div>
        ) : (
          <Empty icon={<IconInbox size={36} stroke={1.3} />} title="Nothing waits for you">
            Requests you may decide on appear here, and the bell tells you.
          </Empty>
        ))}

      {inForce.length > 0 && (
        <>
          <h2 className={pageClasses.section}>Access others have</h2>
          <GrantTable grants={inForce} now={now} onEnd={setEnding} />
        </>
      )}

      <h2 className={pageClasses.section}>Decided</h2>
      {decided.error && <ProblemNotice error={decided.error} onRetry={() => void decided.refetch()} />}
      {decided.isPending && <Skeleton height={120} radius="md" aria-hidden="true" />}
      {decided.data && past.length === 0 && <p className={pageClasses.dim}>None yet.</p>}
      {past.length > 0 && <DecidedTable requests={past} onOpen={show} />}
      {decided.hasNextPage && (
        <Button
          mt="md"
          variant="default"
          loading={decided.isFetchingNextPage}
          onClick={() => void decided.fetchNextPage()}
        >
          Older requests
        </Button>
      )}

      <Opened id={opened ?? null} onClose={() => void navigate('/requests')} onDecide={setDeciding} />
      <DecideDialog
        request={deciding?.request ?? null}
        verdict={deciding?.verdict ?? 'approve'}
        onClose={() => setDeciding(null)}
      />
      <EndDialog grant={ending} onClose={() => setEnding(null)} />
    </>
  );
}

interface RequestCardProps {
  request: AccessRequest;
  now: number;
  onDecide: (verdict: Verdict) => void;
}

function RequestCard({ request: r, now, onDecide }: RequestCardProps) {
  const glass = r.kind === 'break_glass';
  return (
    <article
      className={classes.request}
      data-kind={r.kind}
      aria-label={`${r.user.name} for ${r.target.name}`}
    >
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <div>
          <h2 className={classes.title}>
            {glass && (
              <IconUrgent
                size={18}
                stroke={1.7}
                style={{ verticalAlign: '-3px', marginRight: 6, color: 'var(--v-brick)' }}
                aria-hidden="true"
              />
            )}
            {r.user.name} {glass ? 'took' : 'for'} {r.target.name}
            {r.account && ` as ${r.account}`}
          </h2>
          <div className={classes.sub}>
            {requestWindow(r)}
            {r.once && ' · one session'}
          </div>
        </div>
        <span className={`${classes.sub} ${pageClasses.nowrap ?? ''}`} title={fullTime(r.created_at)}>
          {duration(now - Date.parse(r.created_at))} ago
        </span>
      </Group>
      <p className={classes.reason}>
        {r.reason}
        {r.ticket && `\n${r.ticket}`}
      </p>
      <div className={classes.foot}>
        {glass ? <RequestBadge request={r} /> : <Progress request={r} />}
        <Group gap="xs" wrap="nowrap">
          {glass ? (
            <Button size="sm" onClick={() => onDecide('review')}>
              Review
            </Button>
          ) : r.decided ? (
            <span className={classes.sub}>You have approved</span>
          ) : (
            <>
              <Button size="sm" variant="default" onClick={() => onDecide('deny')}>
                Deny
              </Button>
              <Button size="sm" onClick={() => onDecide('approve')}>
                Approve
              </Button>
            </>
          )}
        </Group>
      </div>
    </article>
  );
}

/** How many of those who must approve have. */
function Progress({ request: r }: { request: AccessRequest }) {
  const yes = r.decisions.filter((d) => d.verdict === 'approved');
  if (r.approvals === 1) return <span />;
  return (
    <div className={classes.progress} title={yes.map((d) => d.person.name).join(', ')}>
      <span className={classes.dots} aria-hidden="true">
        {Array.from({ length: r.approvals }, (_, i) => (
          <span key={i} className={classes.dot} data-done={i < yes.length ? true : undefined} />
        ))}
      </span>
      {yes.length} of {r.approvals} approved
    </div>
  );
}

function GrantTable({
  grants,
  now,
  onEnd,
}: {
  grants: AccessGrant[];
  now: number;
  onEnd: (g: AccessGrant) => void;
}) {
  return (
    <div className={pageClasses.card}>
      <div className={pageClasses.scroll}>
        <table className={pageClasses.table} aria-label="Access others have">
          <thead>
            <tr>
              <th>Person</th>
              <th>Target</th>
              <th>When</th>
              <th>Left</th>
              <th>Sessions</th>
              <th aria-label="Actions" />
            </tr>
          </thead>
          <tbody>
            {grants.map((g) => (
              <tr key={g.id}>
                <td className={pageClasses.strong}>{g.user.name}</td>
                <td>
                  {g.target.name}
                  {g.account && <div className={pageClasses.small}>as {g.account}</div>}
                </td>
                <td className={pageClasses.nowrap}>{windowText(g.window)}</td>
                <td className={`${pageClasses.nowrap ?? ''} tabular`}>
                  {grantPhase(g, now) === 'now' ? duration(Date.parse(g.window.until) - now) : 'not begun'}
                </td>
                <td>
                  {g.sessions.length > 0 ? (
                    `${g.sessions.length} running`
                  ) : (
                    <span className={pageClasses.dim}>none</span>
                  )}
                </td>
                <td>
                  <div className={pageClasses.actions}>
                    <Button size="xs" variant="default" onClick={() => onEnd(g)}>
                      End early
                    </Button>
                  </div>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function DecidedTable({ requests, onOpen }: { requests: AccessRequest[]; onOpen: (id: string) => void }) {
  return (
    <div className={pageClasses.card}>
      <div className={pageClasses.scroll}>
        <table className={pageClasses.table} aria-label="Decided requests">
          <thead>
            <tr>
              <th>State</th>
              <th>Person</th>
              <th>Target</th>
              <th>When</th>
              <th>Decided by</th>
              <th>Asked</th>
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
                  <button type="button" className={accessClasses.plain} onClick={() => onOpen(r.id)}>
                    {r.user.name}
                  </button>
                </td>
                <td>
                  {r.target.name}
                  {r.account && <div className={pageClasses.small}>as {r.account}</div>}
                </td>
                <td className={pageClasses.nowrap}>{requestWindow(r)}</td>
                <td>{r.decisions.map((d) => d.person.name).join(', ')}</td>
                <td className={pageClasses.nowrap} title={fullTime(r.created_at)}>
                  {when(r.created_at)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

interface OpenedProps {
  id: string | null;
  onClose: () => void;
  onDecide: (d: { request: AccessRequest; verdict: Verdict }) => void;
}

/** The request a link of a notification leads to, with what can still be said to it. */
function Opened({ id, onClose, onDecide }: OpenedProps) {
  const { data } = useQuery({ ...accessRequestQuery(id ?? ''), enabled: id !== null });
  function decide(verdict: Verdict) {
    if (!data) return;
    onClose();
    onDecide({ request: data, verdict });
  }
  return (
    <DetailsDialog id={id} onClose={onClose}>
      {data?.state === 'pending' && !data.decided && !data.mine && (
        <>
          <Button variant="default" onClick={() => decide('deny')}>
            Deny
          </Button>
          <Button onClick={() => decide('approve')}>Approve</Button>
        </>
      )}
      {data?.state === 'needs_review' && !data.mine && (
        <Button onClick={() => decide('review')}>Review</Button>
      )}
    </DetailsDialog>
  );
}
