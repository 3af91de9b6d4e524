import { Button, Modal, Skeleton } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { IconEye, IconPlayerPlay, IconPlugConnected } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import type { Session } from '../../api/client';
import { useCan, useMe } from '../../api/me';
import { endedSessionsQuery, runningSessionsQuery } from '../../api/queries';
import { useAnswer } from '../../api/supervise';
import { SessionBadge } from '../../components/badge';
import { PageHead } from '../../components/page';
import classes from '../../components/page.module.css';
import { ReasonForm } from '../../components/reason-form';
import { Search } from '../../components/search';
import { Empty, ProblemNotice } from '../../components/states';
import { TerminateDialog } from '../../components/terminate-dialog';
import { bitrate, count, duration, fullTime, when } from '../../lib/format';
import { useNow } from '../../lib/use-now';
import { useTitle } from '../../lib/use-title';
import { matchesSession } from './filter';

export function SessionsPage() {
  useTitle('Sessions');
  const [search, setSearch] = useState('');
  const running = useQuery(runningSessionsQuery);
  const ended = useInfiniteQuery(endedSessionsQuery);
  const [doomed, setDoomed] = useState<Session | null>(null);
  const [answering, setAnswering] = useState('');

  const live = running.data?.filter((s) => matchesSession(s, search)) ?? [];
  const past = ended.data?.pages.flatMap((p) => p.sessions).filter((s) => matchesSession(s, search)) ?? [];

  return (
    <>
      <PageHead title="Sessions" sub="Who is on which desktop, now and before.">
        <Search label="Search sessions" value={search} onChange={setSearch} />
      </PageHead>

      {running.error && <ProblemNotice error={running.error} onRetry={() => void running.refetch()} />}
      {running.isPending && <Skeleton height={120} radius="md" aria-hidden="true" />}
      {running.data &&
        (live.length > 0 ? (
          <RunningTable
            sessions={live}
            onTerminate={setDoomed}
            onAnswer={(s) => setAnswering(s.question?.id ?? '')}
          />
        ) : (
          <Empty
            icon={<IconPlugConnected size={36} stroke={1.3} />}
            title={search ? 'No running session matches' : 'No session is running'}
          >
            {search ? null : 'Connect to a target and it appears here, for supervisors as well.'}
          </Empty>
        ))}

      <h2 className={classes.section}>Ended</h2>
      {ended.error && <ProblemNotice error={ended.error} onRetry={() => void ended.refetch()} />}
      {ended.isPending && <Skeleton height={220} radius="md" aria-hidden="true" />}
      {ended.data && past.length === 0 && (
        <p className={classes.dim}>{search ? 'None matches.' : 'None yet.'}</p>
      )}
      {past.length > 0 && <EndedTable sessions={past} />}
      {ended.hasNextPage && (
        <Button
          mt="md"
          variant="default"
          loading={ended.isFetchingNextPage}
          onClick={() => void ended.fetchNextPage()}
        >
          Older sessions
        </Button>
      )}

      <TerminateDialog session={doomed} onClose={() => setDoomed(null)} />
      <AnswerDialog
        session={running.data?.find((s) => answering !== '' && s.question?.id === answering) ?? null}
        onClose={() => setAnswering('')}
      />
    </>
  );
}

/** A rule asks the person themselves, who is there with a native client or in another window. */
function AnswerDialog({ session, onClose }: { session: Session | null; onClose: () => void }) {
  const answer = useAnswer();
  const question = session?.question;
  return (
    <Modal opened={question !== undefined} onClose={onClose} title="Why do you do this?">
      {session && question && (
        <ReasonForm
          key={question.id}
          question={{ ...question, until: question.until ? Date.parse(question.until) : null }}
          busy={answer.isPending}
          error={answer.variables?.question === question.id ? answer.error : null}
          onSay={(said) =>
            answer.mutate({ session: session.id, question: question.id, ...said }, { onSuccess: onClose })
          }
        />
      )}
    </Modal>
  );
}

interface RunningTableProps {
  sessions: Session[];
  onTerminate: (s: Session) => void;
  onAnswer: (s: Session) => void;
}

function RunningTable({ sessions, onTerminate, onAnswer }: RunningTableProps) {
  const now = useNow(true);
  const me = useMe();
  const can = useCan();
  return (
    <div className={classes.card}>
      <div className={classes.scroll}>
        <table className={classes.table} aria-label="Running sessions">
          <thead>
            <tr>
              <th>State</th>
              <th>Target</th>
              <th>User</th>
              <th>Started</th>
              <th>Running for</th>
              <th>Viewers</th>
              <th>Load</th>
              <th aria-label="Actions" />
            </tr>
          </thead>
          <tbody>
            {sessions.map((s) => {
              const mine = s.user.id === me.id;
              return (
                <tr key={s.id}>
                  <td>
                    <SessionBadge session={s} />
                  </td>
                  <td>
                    <div className={classes.strong}>{s.target.name}</div>
                    <div className={classes.small}>
                      {s.target.protocol.toUpperCase()}
                      {s.width && s.height ? ` · ${s.width}×${s.height}` : ''}
                    </div>
                  </td>
                  <td>
                    <div>{s.user.name}</div>
                    <div className={`${classes.small ?? ''} mono`}>{s.client_address}</div>
                  </td>
                  <td className={classes.nowrap} title={fullTime(s.started_at)}>
                    {when(s.started_at)}
                  </td>
                  <td className={`${classes.nowrap ?? ''} tabular`}>
                    {duration(now - Date.parse(s.started_at))}
                  </td>
                  <td title={s.viewers.map((v) => `${v.person.name} (${v.role})`).join(', ')}>
                    {s.viewers.length === 0 ? (
                      <span className={classes.dim}>nobody</span>
                    ) : (
                      count(s.viewers.length, 'viewer')
                    )}
                  </td>
                  <td className={`${classes.nowrap ?? ''} ${classes.small ?? ''} tabular`}>
                    {s.frame_rate ? `${Math.round(s.frame_rate)} fps, ${bitrate(s.bitrate ?? 0)}` : 'still'}
                  </td>
                  <td>
                    <div className={classes.actions}>
                      {s.question?.person.id === me.id && (
                        <Button size="xs" onClick={() => onAnswer(s)}>
                          Give a reason
                        </Button>
                      )}
                      {mine && (
                        <Button component={Link} to={`/sessions/${s.id}`} size="xs" variant="light">
                          Return
                        </Button>
                      )}
                      {!mine && can('view_live') && (
                        <Button
                          component={Link}
                          to={`/sessions/${s.id}?role=view`}
                          size="xs"
                          variant="light"
                          leftSection={<IconEye size={14} />}
                        >
                          Watch
                        </Button>
                      )}
                      {(mine || can('terminate')) && (
                        <Button size="xs" variant="default" onClick={() => onTerminate(s)}>
                          Terminate
                        </Button>
                      )}
                    </div>
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function EndedTable({ sessions }: { sessions: Session[] }) {
  const can = useCan();
  return (
    <div className={classes.card}>
      <div className={classes.scroll}>
        <table className={classes.table} aria-label="Ended sessions">
          <thead>
            <tr>
              <th>Target</th>
              <th>User</th>
              <th>Started</th>
              <th>Lasted</th>
              <th>How it ended</th>
              <th aria-label="Actions" />
            </tr>
          </thead>
          <tbody>
            {sessions.map((s) => (
              <tr key={s.id}>
                <td className={classes.strong}>{s.target.name}</td>
                <td>{s.user.name}</td>
                <td className={classes.nowrap} title={fullTime(s.started_at)}>
                  {when(s.started_at)}
                </td>
                <td className={`${classes.nowrap ?? ''} tabular`}>
                  {s.ended_at ? duration(Date.parse(s.ended_at) - Date.parse(s.started_at)) : ''}
                </td>
                <td>
                  <SessionBadge session={s} />
                  <div className={classes.small}>{s.end?.message}</div>
                </td>
                <td>
                  <div className={classes.actions}>
                    {can('replay') && s.width !== undefined && (
                      <Button
                        component={Link}
                        to={`/recordings/${s.id}`}
                        size="xs"
                        variant="subtle"
                        leftSection={<IconPlayerPlay size={14} />}
                      >
                        Recording
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
  );
}
