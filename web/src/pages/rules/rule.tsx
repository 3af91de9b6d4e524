import {
  Button,
  Checkbox,
  Group,
  MultiSelect,
  SegmentedControl,
  Select,
  Skeleton,
  Switch,
  TagsInput,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { IconAlertTriangle, IconCircleCheck, IconCircleX } from '@tabler/icons-react';
import { useMemo, useState, type SubmitEvent } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import {
  labelOf,
  ruleActions,
  ruleCheckQuery,
  ruleQuery,
  rulesQuery,
  ruleVersionsQuery,
  severities,
  sources,
  useCreateRule,
  useDeleteRule,
  useUpdateRule,
  type KeptRule,
  type Rule,
  type Source,
} from '../../api/detection';
import { useCan } from '../../api/me';
import { Confirm } from '../../components/confirm';
import { PageHead } from '../../components/page';
import { ProblemNotice } from '../../components/states';
import { fullTime, when } from '../../lib/format';
import { roles } from '../../lib/roles';
import { useTitle } from '../../lib/use-title';
import { idOf } from '../policies/text';
import { DryRunPanel } from './dry-run';
import classes from './rules.module.css';
import { originText, patternsOf, sameRule, scopeFields } from './scope';

const blank: Rule = {
  id: '',
  name: '',
  severity: 'medium',
  action: 'alert',
  sources: ['typed', 'clipboard'],
  any: [],
};

/** One rule in its editor. */
export function RulePage() {
  const { rule: id = '' } = useParams();
  const { data, error, refetch } = useQuery(ruleQuery(id));
  useTitle(data?.rule.name ?? 'Rule');
  if (error && !data) return <ProblemNotice error={error} onRetry={() => void refetch()} />;
  if (!data) return <Skeleton height={520} radius="md" aria-hidden="true" />;
  return <Editor key={`${data.rule.id} ${data.revision}`} kept={data} />;
}

/** A rule that is not there yet. */
export function NewRulePage() {
  useTitle('New rule');
  return <Editor kept={null} />;
}

const checkMs = 300;

/** The lists of patterns, and what each is for. */
const patternFields = [
  {
    field: 'any',
    label: 'Any of these',
    about:
      'One pattern (RE2) in each line. One beginning with ^ names a program: it is tried on each command, without sudo and its folder.',
  },
  { field: 'all', label: 'Or all of these in one command', about: null },
  { field: 'none', label: 'But none of these there', about: null },
] as const;

function Editor({ kept }: { kept: KeptRule | null }) {
  const manage = useCan()('manage_rules');
  const [draft, setDraft] = useState<Rule>(kept?.rule ?? blank);
  const [id, setId] = useState<string | null>(null); // null: follows the name
  const [texts, setTexts] = useState(() => textsOf(kept?.rule ?? blank));
  const [side, setSide] = useState<'check' | 'history'>('check');
  const [sample, setSample] = useState('');
  const [source, setSource] = useState<Source>('typed');
  const [doomed, setDoomed] = useState(false);
  const lists = useQuery(rulesQuery).data?.lists ?? [];
  const create = useCreateRule();
  const update = useUpdateRule();
  const remove = useDeleteRule();
  const navigate = useNavigate();

  const rule = useMemo<Rule>(
    () => ({
      ...draft,
      id: kept?.rule.id ?? id ?? idOf(draft.name),
      any: patternsOf(texts.any),
      all: patternsOf(texts.all),
      none: patternsOf(texts.none),
    }),
    [draft, id, texts, kept],
  );
  // What is not there yet is not wrong: a rule without a name can be tried all the same.
  const looksFor = (rule.any?.length ?? 0) + (rule.all?.length ?? 0) + (rule.lists?.length ?? 0);
  const complete = looksFor > 0 && rule.sources.length > 0;
  const [asked] = useDebouncedValue(
    JSON.stringify({ ...rule, id: rule.id || 'draft', name: rule.name.trim() || 'Draft' }),
    checkMs,
  );
  const [settledSample] = useDebouncedValue(sample, checkMs);
  const check = useQuery({
    ...ruleCheckQuery(JSON.parse(asked) as Rule, settledSample, source),
    placeholderData: keepPreviousData,
    enabled: complete,
  });
  const problem = complete ? check.data?.problem : undefined;
  const badField = patternFields.find(({ field }) =>
    check.data?.pattern ? (rule[field] ?? []).includes(check.data.pattern) : false,
  )?.field;

  const set = <K extends keyof Rule>(field: K, value: Rule[K]) =>
    setDraft((before) => ({ ...before, [field]: value }));
  const take = (version: Rule) => {
    setDraft(version);
    setTexts(textsOf(version));
  };
  const save = kept ? update : create;
  const changed = !kept || !sameRule(rule, kept.rule);

  function submit(event: SubmitEvent) {
    event.preventDefault();
    if (kept) update.mutate({ revision: kept.revision, rule });
    else
      create.mutate(rule, {
        onSuccess: (made) => void navigate(`/rules/${made.rule.id}`, { replace: true }),
      });
  }

  return (
    <>
      <PageHead
        title={kept ? kept.rule.name : 'New rule'}
        sub={
          kept ? (
            <>
              <span className="mono">{kept.rule.id}</span> · {originText(kept)}
            </>
          ) : (
            'Tried as soon as it is saved, also in sessions that run.'
          )
        }
      >
        {kept && manage && kept.revision > 0 && (
          <Button variant="default" onClick={() => setDoomed(true)}>
            {kept.origin === 'console' ? 'Delete' : 'As it came'}
          </Button>
        )}
        <Button component={Link} to="/rules" variant="default">
          All rules
        </Button>
      </PageHead>
      {kept && <Origin kept={kept} />}
      <div className={classes.layout}>
        <form className={classes.form} onSubmit={submit} aria-label="Rule">
          <fieldset disabled={!manage} className={classes.fields}>
            <div className={classes.row}>
              <TextInput
                label="Name"
                value={draft.name}
                onChange={(event) => set('name', event.currentTarget.value)}
                maxLength={120}
                required
              />
              {!kept && (
                <TextInput
                  label="Id"
                  description="Alerts and the audit log name the rule by it; it stays."
                  inputWrapperOrder={['label', 'input', 'description', 'error']}
                  value={id ?? idOf(draft.name)}
                  onChange={(event) => setId(event.currentTarget.value)}
                  pattern="[a-z0-9][a-z0-9._\-]{0,63}"
                  maxLength={64}
                  required
                />
              )}
            </div>
            <TextInput
              label="About"
              value={draft.about ?? ''}
              onChange={(event) => set('about', event.currentTarget.value)}
              maxLength={1000}
            />
            <div className={classes.row}>
              <Select
                label="Severity"
                data={severities}
                value={draft.severity}
                onChange={(value) => value && set('severity', value)}
                allowDeselect={false}
              />
              <Select
                label="Does"
                data={ruleActions}
                value={draft.action}
                onChange={(value) => value && set('action', value)}
                allowDeselect={false}
              />
            </div>
            <Checkbox.Group
              label="Looks at"
              value={draft.sources}
              onChange={(value) => set('sources', value)}
              {...(draft.sources.length === 0 ? { error: 'Choose at least one.' } : {})}
            >
              <Group gap="lg" mt={8}>
                {sources.map((s) => (
                  <Checkbox key={s.value} value={s.value} label={s.label} disabled={!manage} />
                ))}
              </Group>
            </Checkbox.Group>
            {patternFields.map(({ field, label, about }) => (
              <Textarea
                key={field}
                label={label}
                description={about}
                value={texts[field]}
                onChange={(event) => {
                  const text = event.currentTarget.value;
                  setTexts((before) => ({ ...before, [field]: text }));
                }}
                autosize
                minRows={field === 'any' ? 3 : 1}
                maxRows={18}
                spellCheck={false}
                styles={{
                  input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.8125rem' },
                }}
                error={badField === field ? problem : undefined}
              />
            ))}
            <MultiSelect
              label="Or a word of these lists"
              data={lists.map((l) => l.name)}
              value={draft.lists ?? []}
              onChange={(value) => set('lists', value)}
              searchable
              clearable
            />
            <details
              className={classes.scopeFields}
              open={scopeFields.some(({ field }) => draft.scope?.[field]?.length)}
            >
              <summary>For which sessions</summary>
              <p className={classes.fine}>
                Those that fit every field with anything in it; with nothing in any, every session.
              </p>
              <div className={classes.row}>
                {scopeFields.map(({ field, label, placeholder }) => (
                  <TagsInput
                    key={field}
                    label={label}
                    placeholder={draft.scope?.[field]?.length ? '' : placeholder}
                    value={draft.scope?.[field] ?? []}
                    onChange={(value) => set('scope', { ...draft.scope, [field]: value })}
                    {...(field === 'roles' ? { data: roles.map((r) => r.value) } : {})}
                    maxTags={50}
                    disabled={!manage}
                  />
                ))}
              </div>
            </details>
            <Switch
              label="Tried"
              checked={!draft.disabled}
              onChange={(event) => set('disabled', !event.currentTarget.checked)}
              disabled={!manage}
            />
          </fieldset>
          {problem && !badField && (
            <p className={classes.bad} role="alert">
              <IconCircleX size={17} stroke={1.6} aria-hidden="true" /> {problem}
            </p>
          )}
          {save.error && <ProblemNotice error={save.error} />}
          {manage && (
            <Group gap="sm">
              <Button
                type="submit"
                loading={save.isPending}
                disabled={!!problem || !changed || !complete || draft.name.trim() === ''}
              >
                Save
              </Button>
              {problem && <span className={classes.fine}>Mend what is wrong first.</span>}
              {!changed && <span className={classes.fine}>Saved.</span>}
            </Group>
          )}
        </form>
        <aside className={classes.side}>
          <SegmentedControl
            fullWidth
            size="xs"
            aria-label="Beside the editor"
            value={side}
            onChange={(value) => setSide(value === 'history' ? 'history' : 'check')}
            data={[
              { value: 'check', label: 'Check' },
              { value: 'history', label: 'History', disabled: !kept },
            ]}
          />
          {side === 'history' && kept ? (
            <History id={kept.rule.id} onTake={take} />
          ) : (
            <div className={classes.check}>
              <TextInput
                label="A line to check it with"
                placeholder="sudo rm -rf /var/log"
                value={sample}
                onChange={(event) => setSample(event.currentTarget.value)}
                maxLength={4000}
                spellCheck={false}
                styles={{
                  input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.8125rem' },
                }}
              />
              <Select
                label="As if it were"
                data={sources.filter((s) => rule.sources.includes(s.value))}
                value={rule.sources.includes(source) ? source : (rule.sources[0] ?? null)}
                onChange={(value) => value && setSource(value)}
                allowDeselect={false}
              />
              <div aria-live="polite" data-testid="check">
                {check.error ? (
                  <ProblemNotice error={check.error} />
                ) : (
                  complete &&
                  settledSample !== '' &&
                  check.data &&
                  !check.data.problem && <CheckResult fits={check.data.fits} found={check.data.found} />
                )}
              </div>
            </div>
          )}
        </aside>
      </div>
      <DryRunPanel
        rule={{ ...rule, id: rule.id || 'draft', name: rule.name.trim() || 'Draft' }}
        ready={complete && !problem}
      />
      {kept && (
        <Confirm
          opened={doomed}
          title={
            kept.origin === 'console' ? `Delete “${kept.rule.name}”?` : `“${kept.rule.name}” as it came?`
          }
          action={kept.origin === 'console' ? 'Delete' : 'Take back'}
          busy={remove.isPending}
          error={remove.error}
          onClose={() => setDoomed(false)}
          onConfirm={() =>
            remove.mutate(
              { id: kept.rule.id, revision: kept.revision },
              { onSuccess: () => (kept.origin === 'console' ? void navigate('/rules') : setDoomed(false)) },
            )
          }
        >
          <p>
            {kept.origin === 'console'
              ? 'It is tried no more, also in sessions that run. Its alerts and its history stay.'
              : 'What was changed here is taken back, and the rule is tried as it came. The history stays.'}
          </p>
        </Confirm>
      )}
    </>
  );
}

function textsOf(rule: Rule) {
  const text = (list: readonly string[] | undefined) => (list ?? []).join('\n');
  return { any: text(rule.any), all: text(rule.all), none: text(rule.none) };
}

/** What was made of a rule that is not of the console alone. */
function Origin({ kept }: { kept: KeptRule }) {
  const by = kept.updated_by && kept.updated_at && `${kept.updated_by}, ${when(kept.updated_at)}`;
  const where = kept.origin === 'shipped' ? 'comes with Vitrine' : 'stands in the configuration';
  let text: string | null = null;
  if (kept.change === 'adjusted')
    text = `It ${where} and was adjusted here (${by ?? ''}): its patterns go on to follow updates.`;
  else if (kept.change === 'replaced')
    text = `It ${where}, and another was put in its place here (${by ?? ''}): updates change nothing of it.`;
  else if (kept.origin !== 'console')
    text = `It ${where}${kept.configured ? ', which also says what it does' : ''}. What you change here lies over it and can be taken back.`;
  return (
    <>
      {text && (
        <p className={classes.notice} data-quiet="">
          {text}
        </p>
      )}
      {kept.problem && (
        <p className={classes.notice} role="alert">
          <IconAlertTriangle size={18} stroke={1.6} aria-hidden="true" />
          What was written here cannot be used: {kept.problem}.{' '}
          {kept.origin === 'console' ? 'It is not tried.' : 'The rule is tried as it came.'}
        </p>
      )}
    </>
  );
}

const kinds = { any: 'Any', all: 'All', none: 'None', list: 'Word' } as const;

interface CheckResultProps {
  fits: boolean;
  found: { kind: keyof typeof kinds; pattern: string; in: string }[];
}

function CheckResult({ fits, found }: CheckResultProps) {
  return (
    <>
      <p className={classes.verdict} data-fits={fits || undefined}>
        {fits ? (
          <>
            <IconCircleCheck size={18} stroke={1.6} aria-hidden="true" /> The rule fits.
          </>
        ) : (
          <>
            <IconCircleX size={18} stroke={1.6} aria-hidden="true" /> The rule does not fit.
          </>
        )}
      </p>
      {found.length > 0 && (
        <ul className={classes.matches} aria-label="What of it is in the line">
          {found.map((f) => (
            <li key={`${f.kind} ${f.pattern}`}>
              <span className={classes.kind}>{kinds[f.kind]}</span>
              <code>{f.pattern}</code>
              <div className={classes.fine}>
                in <code>{f.in}</code>
              </div>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function History({ id, onTake }: { id: string; onTake: (rule: Rule) => void }) {
  const { data, error, refetch } = useQuery(ruleVersionsQuery(id));
  if (error) return <ProblemNotice error={error} onRetry={() => void refetch()} />;
  if (!data) return <Skeleton height={120} />;
  if (data.length === 0) return <p className={classes.fine}>Nothing was changed of it here.</p>;
  return (
    <ul className={classes.versions}>
      {data.map((v) => (
        <li key={v.revision}>
          <span>
            <span title={fullTime(v.updated_at)}>{when(v.updated_at)}</span> by {v.updated_by}
            {v.removed
              ? ', taken back'
              : v.rule.disabled
                ? ', off'
                : `, ${labelOf(ruleActions, v.rule.action)}`}
          </span>
          <Button
            size="compact-xs"
            variant="default"
            aria-label={`Take the version of ${fullTime(v.updated_at)} into the editor`}
            onClick={() => onTake(v.rule)}
          >
            Take
          </Button>
        </li>
      ))}
    </ul>
  );
}
