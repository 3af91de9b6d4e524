import { Drawer, Loader } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconShieldCheck, IconShieldX } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { inclusionQuery, type AuditEntry } from '../../api/audit';
import { isProblem } from '../../api/problem';
import { Tag } from '../../components/badge';
import page from '../../components/page.module.css';
import { ProblemNotice } from '../../components/states';
import { fullTime } from '../../lib/format';
import classes from './audit.module.css';
import { actionName, actorName, OutcomeBadge } from './names';

/** Everything about one entry, and the proof that it is in the log. */
export function EntryDrawer({ entry, onClose }: { entry: AuditEntry; onClose: () => void }) {
  const object = entry.object;
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size="lg"
      lockScroll={false}
      title={`Entry ${entry.index}`}
    >
      <dl className={classes.facts}>
        <Fact label="What">{actionName(entry.action)}</Fact>
        <Fact label="Outcome">
          <OutcomeBadge outcome={entry.outcome} />
        </Fact>
        <Fact label="When">{fullTime(entry.time)}</Fact>
        <Fact label="Who">
          {actorName(entry)} <span className={page.small}>{entry.actor.kind}</span>
          {entry.actor.id && <div className={`${page.small ?? ''} mono`}>{entry.actor.id}</div>}
        </Fact>
        {entry.source && <Fact label="From">{entry.source}</Fact>}
        {object && (
          <Fact label="On">
            {object.kind?.replaceAll('_', ' ')} {object.name}
            {object.id && <div className={`${page.small ?? ''} mono`}>{object.id}</div>}
          </Fact>
        )}
        {entry.session && (
          <Fact label="Session">
            <Link to={`/recordings/${entry.session}`} className={`${page.link ?? ''} mono`}>
              {entry.session}
            </Link>
          </Fact>
        )}
        {entry.policies && (
          <Fact label="Decided by">
            {entry.policies.map((p) => (
              <Tag key={p}>{p}</Tag>
            ))}
          </Fact>
        )}
        {Object.entries(entry.details ?? {}).map(([key, value]) => (
          <Fact key={key} label={sentence(key)}>
            {value}
          </Fact>
        ))}
      </dl>
      <Inclusion entry={entry} />
      <h2 className={classes.heading}>As it was hashed</h2>
      <pre className={`${classes.canonical ?? ''} mono`} tabIndex={0}>
        {entry.canonical}
      </pre>
    </Drawer>
  );
}

function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </>
  );
}

function sentence(key: string): string {
  const words = key.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function Inclusion({ entry }: { entry: AuditEntry }) {
  const { data, error, refetch } = useQuery(inclusionQuery(entry));
  if (error && !isProblem(error, 'audit_not_signed'))
    return <ProblemNotice error={error} onRetry={() => void refetch()} />;
  return (
    <div className={`${classes.proof ?? ''} ${classes.outcome ?? ''}`} role="status">
      {error ? (
        <span>So new that no checkpoint covers it yet. Look again in a minute.</span>
      ) : !data ? (
        <>
          <Loader size="xs" /> <span>Checking its proof…</span>
        </>
      ) : data.ok ? (
        <>
          <IconShieldCheck size={20} stroke={1.6} className={classes.good} />
          <span>
            Verified in the log at the checkpoint of {data.size.toLocaleString()} entries, by this browser.
          </span>
        </>
      ) : (
        <>
          <IconShieldX size={20} stroke={1.6} className={classes.bad} />
          <span>Its proof does not lead to the signed checkpoint: this entry is not what was written.</span>
        </>
      )}
    </div>
  );
}
