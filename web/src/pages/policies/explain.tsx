import { Button, NumberInput, Select, Switch, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconCircleCheck, IconCircleX } from '@tabler/icons-react';
import { useState, type SubmitEvent } from 'react';
import { Link } from 'react-router';
import {
  policySchemaQuery,
  useExplain,
  type PolicyExplanation,
  type PolicyQuestion,
} from '../../api/policies';
import { Badge } from '../../components/badge';
import { PageHead } from '../../components/page';
import page from '../../components/page.module.css';
import { ProblemNotice } from '../../components/states';
import { useMe } from '../../api/me';
import { useTitle } from '../../lib/use-title';
import classes from './policies.module.css';

/** Asks what would be decided, and shows which policies decide. */
export function ExplainPage() {
  useTitle('Explain a decision');
  const me = useMe();
  const schema = useQuery(policySchemaQuery);
  const explain = useExplain();
  const [user, setUser] = useState(me.username);
  const [action, setAction] = useState('connect');
  const [target, setTarget] = useState('');
  const [account, setAccount] = useState('');
  const [owner, setOwner] = useState('');
  const [at, setAt] = useState('');
  const [source, setSource] = useState('');
  const [ticket, setTicket] = useState('');
  const [mfa, setMfa] = useState<number | string>('');
  const [approved, setApproved] = useState(false);

  const on = schema.data?.actions.find((a) => a.name === action)?.resources ?? [];
  const onTarget = on.length === 0 || on.some((r) => r !== 'Gateway' && r !== 'User');
  const owned = on.some((r) => r === 'Session' || r === 'Recording' || r === 'AccessRequest');

  function submit(event: SubmitEvent) {
    event.preventDefault();
    const question: PolicyQuestion = { user: user.trim(), action, approved };
    if (onTarget && target.trim()) question.target = target.trim();
    if (onTarget && account.trim()) question.account = account.trim();
    if (owned && owner.trim()) question.owner = owner.trim();
    if (at) question.at = new Date(at).toISOString();
    if (source.trim()) question.source = source.trim();
    if (ticket.trim()) question.ticket = ticket.trim();
    if (typeof mfa === 'number') question.mfa_age_s = mfa * 60;
    explain.mutate(question);
  }

  return (
    <>
      <PageHead title="Explain a decision" sub="Which policies decide, and which nearly do. Nothing happens.">
        <Button component={Link} to="/policies" variant="default">
          All policies
        </Button>
      </PageHead>
      <form className={classes.form} onSubmit={submit} aria-label="Question">
        <div className={classes.row}>
          <TextInput
            label="User"
            description="Name or id"
            value={user}
            onChange={(event) => setUser(event.currentTarget.value)}
            required
          />
          <Select
            label="Action"
            description={schema.data?.actions.find((a) => a.name === action)?.about ?? ' '}
            data={schema.data?.actions.filter((a) => a.resources.length > 0).map((a) => a.name) ?? [action]}
            value={action}
            onChange={(value) => setAction(value ?? 'connect')}
            allowDeselect={false}
            searchable
          />
          <TextInput
            label="Target"
            description="Id; it need not be there yet"
            value={target}
            disabled={!onTarget}
            onChange={(event) => setTarget(event.currentTarget.value)}
          />
          <TextInput
            label="Account"
            description="On the target"
            value={account}
            disabled={!onTarget}
            onChange={(event) => setAccount(event.currentTarget.value)}
          />
        </div>
        <div className={classes.row}>
          <TextInput
            label="When"
            description="Empty: now"
            type="datetime-local"
            value={at}
            onChange={(event) => setAt(event.currentTarget.value)}
          />
          <TextInput
            label="From"
            description="IP address"
            value={source}
            onChange={(event) => setSource(event.currentTarget.value)}
          />
          <TextInput
            label="Ticket"
            description="That was named"
            value={ticket}
            onChange={(event) => setTicket(event.currentTarget.value)}
          />
          <NumberInput
            label="Second factor"
            description="Minutes ago; empty: none"
            min={0}
            max={100000}
            value={mfa}
            onChange={setMfa}
          />
          {owned && (
            <TextInput
              label="Whose"
              description="Name or id; empty: somebody else’s"
              value={owner}
              onChange={(event) => setOwner(event.currentTarget.value)}
            />
          )}
        </div>
        <Switch
          label="An access request for it is approved"
          checked={approved}
          onChange={(event) => setApproved(event.currentTarget.checked)}
        />
        <div>
          <Button type="submit" loading={explain.isPending} disabled={user.trim() === ''}>
            Explain
          </Button>
        </div>
      </form>
      <div aria-live="polite" style={{ marginTop: 28 }}>
        {explain.error ? <ProblemNotice error={explain.error} /> : null}
        {explain.isSuccess && <Answer answer={explain.data} />}
      </div>
    </>
  );
}

function Answer({ answer }: { answer: PolicyExplanation }) {
  return (
    <section aria-label="Answer">
      <div className={classes.verdict} data-allowed={answer.allowed}>
        {answer.allowed ? (
          <IconCircleCheck size={26} stroke={1.6} aria-hidden="true" />
        ) : (
          <IconCircleX size={26} stroke={1.6} aria-hidden="true" />
        )}
        <div>
          <strong>{answer.allowed ? 'Yes' : 'No'}</strong>
          {answer.reason.charAt(0).toUpperCase() + answer.reason.slice(1)}.{' '}
          <span className={classes.place}>{answer.at}</span>
          {answer.obligations.length > 0 && (
            <ul className={classes.list}>
              {answer.obligations.map((o) => (
                <li key={o}>{o}</li>
              ))}
            </ul>
          )}
        </div>
      </div>
      {answer.statements.map((s) => (
        <article key={s.id} className={classes.statement} data-statement={s.id}>
          <header>
            <Link to={`/policies/${s.policy}`} className={page.link}>
              {s.name}
            </Link>
            <span className={`${classes.place ?? ''} mono`}>{s.id}</span>
            {s.decided ? (
              <Badge tone={s.effect === 'permit' ? 'good' : 'bad'} label="Decided" />
            ) : s.error ? (
              <Badge tone="bad" label="Cannot be evaluated" />
            ) : s.applies ? (
              <Badge tone="warn" label="Overruled by a forbid" />
            ) : (
              <Badge tone="quiet" label={s.effect === 'permit' ? 'Nearly permits' : 'Nearly forbids'} />
            )}
          </header>
          {s.missed.length > 0 && (
            <p className={classes.missed}>
              Not so: <span className="mono">{s.missed.join('; ')}</span>
            </p>
          )}
          {s.error && <p className={classes.missed}>{s.error}</p>}
          <pre className="mono">{s.text}</pre>
        </article>
      ))}
    </section>
  );
}
