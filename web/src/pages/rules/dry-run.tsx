import { Button, Select } from '@mantine/core';
import { IconPlayerStop, IconTestPipe } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { labelOf, sources, useDryRun, type DryRun, type Rule } from '../../api/detection';
import { Badge, ReviewBadge } from '../../components/badge';
import page from '../../components/page.module.css';
import { ProblemNotice } from '../../components/states';
import { clock, count, fullTime, when } from '../../lib/format';
import classes from './rules.module.css';

const amounts = ['50', '200', '1000'].map((n) => ({ value: n, label: `the newest ${n}` }));
const spans = [
  { value: '1', label: 'of the last day' },
  { value: '7', label: 'of the last 7 days' },
  { value: '30', label: 'of the last 30 days' },
  { value: '0', label: 'of any age' },
];

const dayMs = 86_400_000;

/** Tries the rule as it stands in the editor on recordings, and shows what it would have found. */
export function DryRunPanel({ rule, ready }: { rule: Rule; ready: boolean }) {
  const [amount, setAmount] = useState('200');
  const [span, setSpan] = useState('30');
  const { run, start, cancel } = useDryRun();
  const running = run.state === 'running';
  const since = () => (span === '0' ? null : new Date(Date.now() - Number(span) * dayMs));
  return (
    <section className={classes.dry} aria-labelledby="dry-run">
      <h2 id="dry-run" className={page.section}>
        Try it on recordings
      </h2>
      <p className={classes.fine}>
        The rule as it stands above, saved or not, on what you may replay. Its scope is not looked at, and
        nothing happens but an entry in the audit log.
      </p>
      <div className={classes.dryTools}>
        <Select
          aria-label="How many recordings"
          data={amounts}
          value={amount}
          onChange={(value) => setAmount(value ?? '200')}
          allowDeselect={false}
          disabled={running}
          w={150}
        />
        <Select
          aria-label="How old they may be"
          data={spans}
          value={span}
          onChange={(value) => setSpan(value ?? '30')}
          allowDeselect={false}
          disabled={running}
          w={180}
        />
        {running ? (
          <Button variant="default" leftSection={<IconPlayerStop size={16} />} onClick={cancel}>
            Cancel
          </Button>
        ) : (
          <Button
            variant="light"
            leftSection={<IconTestPipe size={16} />}
            disabled={!ready}
            onClick={() => start(rule, Number(amount), since())}
          >
            Try
          </Button>
        )}
        <span role="status" className={classes.fine}>
          {summary(run)}
        </span>
      </div>
      {run.error ? <ProblemNotice error={run.error} /> : null}
      {run.found.map((f) => (
        <article
          key={f.recording.session.id}
          className={`${page.card ?? ''} ${classes.found ?? ''}`}
          aria-label={`${f.recording.session.target.name}, ${f.recording.session.user.name}`}
        >
          <header className={classes.foundHead}>
            <Link className={page.link} to={`/recordings/${f.recording.session.id}`}>
              {f.recording.session.target.name}
            </Link>
            <span>{f.recording.session.user.name}</span>
            <span title={fullTime(f.recording.session.started_at)}>
              {when(f.recording.session.started_at)}
            </span>
            <span className={classes.spring} />
            <ReviewBadge review={f.recording.review} />
          </header>
          <ul className={classes.hits}>
            {f.hits.map((hit, i) => (
              <li key={i}>
                <Link
                  className={classes.hit}
                  to={`/recordings/${f.recording.session.id}?t=${hit.t_ms / 1000}`}
                >
                  <span className="tabular">{clock(hit.t_ms)}</span>
                  <span>{labelOf(sources, hit.source)}</span>
                  <code>{hit.text}</code>
                  {hit.told ? <Badge tone="quiet" label="Alerted" /> : <span />}
                </Link>
              </li>
            ))}
          </ul>
          {f.more && <p className={classes.foundFoot}>There are more in this recording.</p>}
          {f.keys && (
            <p className={classes.foundFoot}>
              This recording keeps no typed text: only the clipboard and titles were looked at.
            </p>
          )}
        </article>
      ))}
      {run.skipped.length > 0 && (
        <details className={classes.skipped}>
          <summary>{count(run.skipped.length, 'recording')} could not be read</summary>
          <ul>
            {run.skipped.map(({ recording, reason }) => (
              <li key={recording.session.id}>
                {recording.session.target.name}, {recording.session.user.name},{' '}
                {when(recording.session.started_at)}: {reason}
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

function summary(run: DryRun): string {
  if (run.state === 'idle') return '';
  const hits = run.found.reduce((sum, f) => sum + f.hits.length, 0);
  const more = run.found.some((f) => f.more) ? ' at least' : '';
  const text = `${count(run.tried, 'recording')} tried, ${hits === 0 ? 'no hits' : count(hits, 'hit') + more}`;
  if (run.state === 'running') return `${text} so far…`;
  return run.state === 'cancelled' ? `${text}, then stopped.` : `${text}.`;
}
