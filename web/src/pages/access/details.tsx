import type { AccessRequest } from '../../api/access';
import { fullTime, when } from '../../lib/format';
import classes from './access.module.css';
import { RequestBadge } from './badges';
import { requestWindow, shortened, windowText } from './format';

const verdicts = {
  approved: { text: 'approved', tone: 'good' },
  denied: { text: 'denied', tone: 'bad' },
  reviewed: { text: 'reviewed it', tone: 'good' },
} as const;

/** All there is to know of a request, and its history. */
export function RequestDetails({ request: r }: { request: AccessRequest }) {
  return (
    <>
      <dl className={classes.facts}>
        <dt>State</dt>
        <dd>
          <RequestBadge request={r} />
        </dd>
        <dt>Who</dt>
        <dd>{r.user.name}</dd>
        <dt>Target</dt>
        <dd>
          {r.target.name}
          {r.account && <> as {r.account}</>}
        </dd>
        <dt>When</dt>
        <dd>
          {requestWindow(r)}
          {shortened(r) && !r.floating && <div className={classes.struck}>{windowText(r.wanted)}</div>}
          {r.once && <div className={classes.time}>One session only</div>}
        </dd>
        <dt>Reason</dt>
        <dd className={classes.reason}>{r.reason}</dd>
        {r.ticket && (
          <>
            <dt>Ticket</dt>
            <dd>{r.ticket}</dd>
          </>
        )}
      </dl>
      <ol className={classes.history} aria-label="History">
        <Event at={r.created_at} tone={r.kind === 'break_glass' ? 'bad' : 'quiet'}>
          {r.user.name} {r.kind === 'break_glass' ? 'broke the glass' : 'asked'}
        </Event>
        {r.decisions.map((d) => (
          <Event key={d.person.id} at={d.at} tone={verdicts[d.verdict].tone} note={d.note}>
            {d.person.name} {verdicts[d.verdict].text}
          </Event>
        ))}
        {r.state === 'cancelled' && r.closed_at && <Event at={r.closed_at}>{r.user.name} took it back</Event>}
        {r.state === 'expired' && r.closed_at && <Event at={r.closed_at}>It expired undecided</Event>}
      </ol>
    </>
  );
}

interface EventProps {
  at: string;
  tone?: 'good' | 'bad' | 'quiet';
  note?: string | undefined;
  children: React.ReactNode;
}

function Event({ at, tone = 'quiet', note, children }: EventProps) {
  return (
    <li className={classes.event} data-tone={tone}>
      <div>
        {children}{' '}
        <time className={classes.time} dateTime={at} title={fullTime(at)}>
          {when(at)}
        </time>
      </div>
      {note && <div className={classes.note}>{note}</div>}
    </li>
  );
}
