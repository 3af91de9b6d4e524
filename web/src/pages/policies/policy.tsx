import { Button, Group, SegmentedControl, Skeleton, Switch, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { IconAlertTriangle, IconCircleCheck, IconCircleX } from '@tabler/icons-react';
import { useId, useRef, useState, type SubmitEvent } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import {
  policyCheckQuery,
  policyQuery,
  useCreatePolicy,
  useDeletePolicy,
  useUpdatePolicy,
  type Policy,
  type PolicyFinding,
} from '../../api/policies';
import { isProblem } from '../../api/problem';
import { Confirm } from '../../components/confirm';
import { PageHead } from '../../components/page';
import { ProblemNotice } from '../../components/states';
import { useTitle } from '../../lib/use-title';
import { CodeEditor, type CodeEditorHandle } from './code-editor';
import { History } from './history';
import classes from './policies.module.css';
import { Reference } from './reference';
import { idOf } from './text';

const template = `permit (
  principal in Group::"operators",
  action == Action::"connect",
  resource in Tag::"production"
)
when { context.minutes >= 480 && context.minutes < 1080 };
`;

/** One policy in its editor. */
export function PolicyPage() {
  const { policy: id = '' } = useParams();
  const { data, error, refetch } = useQuery(policyQuery(id));
  useTitle(data?.name ?? 'Policy');
  if (error && !data) return <ProblemNotice error={error} onRetry={() => void refetch()} />;
  if (!data) return <Skeleton height={420} radius="md" aria-hidden="true" />;
  return <Editor key={`${data.id} ${data.revision}`} policy={data} />;
}

/** A policy that is not there yet. */
export function NewPolicyPage() {
  useTitle('New policy');
  return <Editor policy={null} />;
}

const checkMs = 350;

function Editor({ policy }: { policy: Policy | null }) {
  const [name, setName] = useState(policy?.name ?? '');
  const [id, setId] = useState<string | null>(null); // null: follows the name
  const [text, setText] = useState(policy?.text ?? template);
  const [enabled, setEnabled] = useState(policy?.enabled ?? true);
  const [side, setSide] = useState<'reference' | 'history'>('reference');
  const [doomed, setDoomed] = useState(false);
  const create = useCreatePolicy();
  const update = useUpdatePolicy();
  const remove = useDeletePolicy();
  const navigate = useNavigate();
  const editor = useRef<CodeEditorHandle>(null);
  const findingsId = useId();

  const [settled] = useDebouncedValue(text, checkMs);
  const check = useQuery({ ...policyCheckQuery(settled), placeholderData: keepPreviousData });
  const findings = check.data ?? [];
  const bad = findings.some((f) => f.severity === 'error');
  const save = policy ? update : create;
  const changed = name !== policy?.name || text !== policy.text || enabled !== policy.enabled;

  function submit(event: SubmitEvent) {
    event.preventDefault();
    if (policy) {
      update.mutate({ id: policy.id, revision: policy.revision, name, text, enabled });
    } else {
      create.mutate(
        { id: id ?? idOf(name), name, text, enabled },
        { onSuccess: (made) => void navigate(`/policies/${made.id}`, { replace: true }) },
      );
    }
  }

  return (
    <>
      <PageHead
        title={policy ? policy.name : 'New policy'}
        sub={
          policy ? (
            <>
              <span className="mono">{policy.id}</span> · in Cedar
            </>
          ) : (
            'In Cedar. It is in force as soon as it is saved.'
          )
        }
      >
        {policy && (
          <Button variant="default" onClick={() => setDoomed(true)}>
            Delete
          </Button>
        )}
        <Button component={Link} to="/policies" variant="default">
          All policies
        </Button>
      </PageHead>
      <div className={classes.layout}>
        <form className={classes.form} onSubmit={submit}>
          <div className={classes.row}>
            <TextInput
              label="Name"
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              maxLength={200}
              required
            />
            {!policy && (
              <TextInput
                label="Id"
                description="Decisions and the audit log name the policy by it; it stays."
                inputWrapperOrder={['label', 'input', 'description', 'error']}
                value={id ?? idOf(name)}
                onChange={(event) => setId(event.currentTarget.value)}
                pattern="[a-z0-9][a-z0-9\-]{0,63}"
                maxLength={64}
                required
              />
            )}
          </div>
          <CodeEditor
            ref={editor}
            label="Text"
            value={text}
            findings={findings}
            describedBy={findingsId}
            onChange={setText}
          />
          <div id={findingsId} aria-live="polite">
            {check.error ? (
              <ProblemNotice error={check.error} />
            ) : (
              <Findings
                findings={findings}
                pending={check.isPending || settled !== text}
                onChoose={(f) => editor.current?.goTo(f)}
              />
            )}
          </div>
          <Switch
            label="In force"
            checked={enabled}
            onChange={(event) => setEnabled(event.currentTarget.checked)}
          />
          {save.error && !isProblem(save.error, 'policy_invalid') && <ProblemNotice error={save.error} />}
          <Group gap="sm">
            <Button type="submit" loading={save.isPending} disabled={bad || !changed || name.trim() === ''}>
              Save
            </Button>
            {bad && <span className={classes.fine}>Mend the errors first.</span>}
            {!changed && <span className={classes.fine}>Saved.</span>}
          </Group>
        </form>
        <aside className={classes.side}>
          <SegmentedControl
            fullWidth
            size="xs"
            aria-label="Beside the editor"
            value={side}
            onChange={(value) => setSide(value === 'history' ? 'history' : 'reference')}
            data={[
              { value: 'reference', label: 'Reference' },
              { value: 'history', label: 'History', disabled: !policy },
            ]}
          />
          {side === 'history' && policy ? (
            <History
              id={policy.id}
              onTake={(version) => {
                setName(version.name);
                setText(version.text);
              }}
            />
          ) : (
            <Reference />
          )}
        </aside>
      </div>
      {policy && (
        <Confirm
          opened={doomed}
          title={`Delete “${policy.name}”?`}
          action="Delete"
          busy={remove.isPending}
          error={remove.error}
          onClose={() => setDoomed(false)}
          onConfirm={() =>
            remove.mutate(
              { id: policy.id, revision: policy.revision },
              { onSuccess: () => void navigate('/policies') },
            )
          }
        >
          <p>What it permits is denied at once, and sessions that rest on it end. Its history stays.</p>
        </Confirm>
      )}
    </>
  );
}

interface FindingsProps {
  findings: readonly PolicyFinding[];
  pending: boolean;
  onChoose: (finding: PolicyFinding) => void;
}

function Findings({ findings, pending, onChoose }: FindingsProps) {
  if (findings.length === 0) {
    return (
      <p className={classes.fine}>
        {pending ? (
          'Checking…'
        ) : (
          <>
            <IconCircleCheck size={17} stroke={1.6} aria-hidden="true" /> Nothing is wrong with the text.
          </>
        )}
      </p>
    );
  }
  return (
    <ul className={classes.findings} aria-label="Findings">
      {findings.map((f) => (
        <li key={`${f.line}:${f.column}:${f.message}`} data-severity={f.severity}>
          <button type="button" onClick={() => onChoose(f)}>
            {f.severity === 'error' ? (
              <IconCircleX size={17} stroke={1.6} aria-label="Error" />
            ) : (
              <IconAlertTriangle size={17} stroke={1.6} aria-label="Warning" />
            )}
            <span className={classes.place}>
              {f.line}:{f.column}
            </span>
            <span>{f.message}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
