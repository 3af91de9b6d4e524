import { Button, Loader } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconShieldCheck, IconShieldX } from '@tabler/icons-react';
import { auditStateQuery, useVerifyLog, verificationQuery, type AuditVerification } from '../../api/audit';
import page from '../../components/page.module.css';
import { ProblemNotice } from '../../components/states';
import { count, fullTime, when } from '../../lib/format';
import classes from './audit.module.css';

/** How the log is, and whether it was altered: the gateway computes it anew when asked to. */
export function LogState() {
  const state = useQuery(auditStateQuery);
  const verification = useQuery(verificationQuery);
  const verify = useVerifyLog();
  if (state.error) return <ProblemNotice error={state.error} onRetry={() => void state.refetch()} />;
  if (!state.data) return null;
  const { size, signed, signed_at, consistent, sinks = [] } = state.data;
  const running = verification.data?.state === 'running';
  return (
    <section className={`${page.card ?? ''} ${classes.state ?? ''}`} aria-label="State of the log">
      <dl className={classes.figures}>
        <div>
          <dt>Entries</dt>
          <dd className="tabular">{size.toLocaleString()}</dd>
        </div>
        <div>
          <dt>Last checkpoint</dt>
          <dd title={signed_at ? fullTime(signed_at) : undefined}>
            {signed_at ? `${count(signed, 'entry', 'entries')}, ${when(signed_at)}` : 'None yet'}
          </dd>
        </div>
        {sinks.map((sink) => (
          <div key={sink.name}>
            <dt>Sent to {sink.name}</dt>
            <dd title={sink.error}>
              {sink.behind === 0 ? 'Everything' : `${count(sink.behind, 'entry', 'entries')} behind`}
              {sink.error ? ', waiting' : ''}
            </dd>
          </div>
        ))}
      </dl>
      <div className={page.tools}>
        {!consistent && (
          <div className={classes.outcome} role="alert">
            <IconShieldX size={20} stroke={1.6} className={classes.bad} />
            <span>
              The log is not the one that was signed before. Nothing is signed until you look into it.
            </span>
          </div>
        )}
        {verification.data && <Outcome verification={verification.data} />}
        {verify.error && <ProblemNotice error={verify.error} />}
        <Button
          variant="default"
          loading={verify.isPending}
          disabled={running}
          onClick={() => verify.mutate()}
        >
          Verify the log
        </Button>
      </div>
    </section>
  );
}

function Outcome({ verification: v }: { verification: AuditVerification }) {
  switch (v.state) {
    case 'idle':
      return null;
    case 'running':
      return (
        <div className={classes.outcome} role="status">
          <Loader size="xs" />
          <span>Computing every hash anew…</span>
        </div>
      );
    case 'ok':
      return (
        <div className={classes.outcome} role="status">
          <IconShieldCheck size={20} stroke={1.6} className={classes.good} />
          <span title={v.ended_at ? fullTime(v.ended_at) : undefined}>
            As it was signed: {count(v.entries ?? 0, 'entry', 'entries')} against{' '}
            {count(v.checkpoints ?? 0, 'checkpoint')}, {v.outside ?? 0} of them kept outside of the database
          </span>
        </div>
      );
    case 'problem':
      return (
        <div className={classes.outcome} role="alert">
          <IconShieldX size={20} stroke={1.6} className={classes.bad} />
          <span>Not as it was signed: {v.problem}</span>
        </div>
      );
    case 'failed':
      return (
        <div className={classes.outcome} role="alert">
          <IconShieldX size={20} stroke={1.6} className={classes.bad} />
          <span>It could not be verified; the gateway’s log tells why.</span>
        </div>
      );
  }
}
