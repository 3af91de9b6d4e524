import { useQuery } from '@tanstack/react-query';
import { IconEye, IconLoader2, IconSnowflake } from '@tabler/icons-react';
import { useEffect, useRef } from 'react';
import { Link } from 'react-router';
import type { Session } from '../../api/client';
import { thumbnailQuery } from '../../api/wall';
import { Badge, Tag } from '../../components/badge';
import { clock, count, fullTime } from '../../lib/format';
import { standing, type Standing } from './filter';
import { useInView } from './use-in-view';
import classes from './wall.module.css';

const states: Record<Standing, { tone: 'good' | 'warn'; label: string; pulse: boolean }> = {
  active: { tone: 'good', label: 'Active', pulse: true },
  connecting: { tone: 'warn', label: 'Connecting', pulse: true },
  frozen: { tone: 'warn', label: 'Frozen', pulse: false },
  reconnecting: { tone: 'warn', label: 'Reconnecting', pulse: true },
};

interface CardProps {
  session: Session;
  /** It is the session of whoever looks. */
  mine: boolean;
  now: number;
  everyMs: number;
  compact: boolean;
}

/** One running session. The whole card leads to the live view. */
export function SessionCard({ session: s, mine, now, everyMs, compact }: CardProps) {
  const ref = useRef<HTMLAnchorElement>(null);
  const inView = useInView(ref);
  const state = standing(s);
  const running = clock(now - Date.parse(s.started_at));
  const watchers = s.viewers.filter((v) => v.person.id !== s.user.id);
  const account = s.account?.name;
  const risk = s.risk;
  return (
    <Link
      ref={ref}
      to={mine ? `/sessions/${s.id}` : `/sessions/${s.id}?role=view`}
      className={`${classes.card ?? ''} ${classes[risk?.level ?? 'low'] ?? ''}`}
      data-card={s.id}
      aria-label={`${s.user.name} on ${s.target.name}, ${states[state].label.toLowerCase()}, ${risk ? `${risk.level} risk, ` : ''}running for ${running}`}
    >
      <Picture session={s} state={state} everyMs={everyMs} live={inView} />
      <div className={classes.body}>
        <div className={classes.line}>
          <span className={classes.who}>{s.user.name}</span>
          <span className={`${classes.time ?? ''} tabular`} title={`since ${fullTime(s.started_at)}`}>
            {running}
          </span>
        </div>
        <div className={classes.what} title={s.desktop_name}>
          {s.target.name}
          {account && <span className={classes.dim}> as {account}</span>}
        </div>
        <div className={classes.line}>
          <Badge {...states[state]} {...(s.frozen ? { title: s.frozen.reason } : {})} />
          <span className={classes.facts}>
            {watchers.length > 0 && (
              <span
                className={classes.fact}
                title={watchers.map((v) => `${v.person.name} (${v.role})`).join(', ')}
              >
                <IconEye size={14} stroke={1.6} aria-hidden="true" />
                {compact ? watchers.length : count(watchers.length, 'watcher')}
              </span>
            )}
            {risk && risk.level !== 'low' && (
              <span className={classes.risk} title={risk.reasons.join(', ')}>
                {risk.level} {risk.score}
              </span>
            )}
          </span>
        </div>
        {!compact && (s.tags ?? []).length > 0 && (
          <div className={classes.tags}>
            {(s.tags ?? []).slice(0, 4).map((tag) => (
              <Tag key={tag}>{tag}</Tag>
            ))}
          </div>
        )}
      </div>
    </Link>
  );
}

interface PictureProps {
  session: Session;
  state: Standing;
  everyMs: number;
  /** It is on the screen: what nobody sees is not asked for. */
  live: boolean;
}

function Picture({ session, state, everyMs, live }: PictureProps) {
  const thumbnail = useQuery({
    ...thumbnailQuery(session.id, everyMs),
    enabled: live && state !== 'connecting',
  });
  const blob = thumbnail.data?.blob;
  return (
    <div className={classes.picture}>
      {blob ? (
        <BlobImage blob={blob} className={state === 'active' ? undefined : classes.stopped} />
      ) : (
        <span className={classes.none}>
          {thumbnail.error
            ? 'No picture can be had'
            : state === 'connecting'
              ? 'Connecting'
              : 'No picture yet'}
        </span>
      )}
      {blob && state === 'frozen' && (
        <span className={classes.over}>
          <IconSnowflake size={15} aria-hidden="true" /> {session.frozen?.by?.name ?? 'Frozen'}
        </span>
      )}
      {blob && state === 'reconnecting' && (
        <span className={classes.over}>
          <IconLoader2 size={15} aria-hidden="true" /> Reconnecting
        </span>
      )}
    </div>
  );
}

/** A picture that has no address of its own. */
function BlobImage({ blob, className }: { blob: Blob; className: string | undefined }) {
  const ref = useRef<HTMLImageElement>(null);
  useEffect(() => {
    const image = ref.current;
    if (!image) return;
    const made = URL.createObjectURL(blob);
    image.src = made;
    return () => URL.revokeObjectURL(made);
  }, [blob]);
  return <img ref={ref} alt="" className={className} draggable={false} />;
}
