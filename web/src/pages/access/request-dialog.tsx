import {
  Button,
  Group,
  Modal,
  NativeSelect,
  SegmentedControl,
  Skeleton,
  Switch,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconUrgent } from '@tabler/icons-react';
import { useState, type ReactNode, type SubmitEvent } from 'react';
import { useNavigate } from 'react-router';
import { accessRulesQuery, useAskForAccess, useBreakGlass, type AccessRules } from '../../api/access';
import { ProblemNotice } from '../../components/states';
import { duration } from '../../lib/format';
import classes from './access.module.css';
import { fromLocalInput, localInput, people } from './format';

interface AskedTarget {
  id: string;
  name: string;
  /** Those that can be asked for. */
  accounts?: { name: string }[];
}

interface RequestDialogProps {
  /** null: closed. */
  target: AskedTarget | null;
  onClose: () => void;
  /** Glass was broken: the caller may connect now, with that account. */
  onGranted: (account: string) => void;
}

/** Asks for access to a target, or takes it in an emergency. */
export function RequestDialog({ target, onClose, onGranted }: RequestDialogProps) {
  const [glass, setGlass] = useState(false);
  function close() {
    setGlass(false);
    onClose();
  }
  return (
    <Modal
      opened={target !== null}
      onClose={close}
      size="lg"
      title={
        glass ? `Break-glass access to ${target?.name ?? ''}` : `Ask for access to ${target?.name ?? ''}`
      }
    >
      {target && (
        <Content
          key={target.id}
          target={target}
          glass={glass}
          onGlass={setGlass}
          onClose={close}
          onGranted={onGranted}
        />
      )}
    </Modal>
  );
}

interface ContentProps {
  target: AskedTarget;
  glass: boolean;
  onGlass: (glass: boolean) => void;
  onClose: () => void;
  onGranted: (account: string) => void;
}

function Content({ target, glass, onGlass, onClose, onGranted }: ContentProps) {
  const names = (target.accounts ?? []).map((a) => a.name);
  const [account, setAccount] = useState(names[0] ?? '');
  const { data: rules, error, isPending, refetch } = useQuery(accessRulesQuery(target.id, account));
  if (isPending) return <Skeleton height={260} />;
  if (error) return <ProblemNotice error={error} onRetry={() => void refetch()} />;
  const choice = names.length > 1 && (
    <NativeSelect
      label="Account on the target"
      data={names}
      value={account}
      onChange={(event) => setAccount(event.currentTarget.value)}
    />
  );
  const shared = { target, account, choice, rules, onClose };
  if (glass || (!rules.may_request && rules.may_break_glass)) {
    return (
      <GlassForm
        {...shared}
        onGranted={() => onGranted(account)}
        {...(rules.may_request ? { onBack: () => onGlass(false) } : {})}
      />
    );
  }
  if (!rules.may_request) {
    return (
      <>
        <p className={classes.hint}>
          You may not ask for access to this target. Its administrators can tell you why.
        </p>
        <Group justify="flex-end" mt="lg">
          <Button variant="default" onClick={onClose}>
            Close
          </Button>
        </Group>
      </>
    );
  }
  return <AskForm {...shared} {...(rules.may_break_glass ? { onGlass: () => onGlass(true) } : {})} />;
}

const hours = [1, 2, 4, 8, 12, 24];

interface FormProps {
  target: AskedTarget;
  account: string;
  /** Where the account is chosen, if there are several. */
  choice: ReactNode;
  rules: AccessRules;
  onClose: () => void;
}

function AskForm({ target, account, choice, rules, onClose, onGlass }: FormProps & { onGlass?: () => void }) {
  const navigate = useNavigate();
  const ask = useAskForAccess();
  const offered = hours.filter((h) => h * 3600 <= rules.max_window_s);
  const lengths = offered.length > 0 ? offered.map((h) => h * 3600) : [rules.max_window_s];
  const [when, setWhen] = useState<'now' | 'later'>('now');
  const [length, setLength] = useState(String(lengths[Math.min(1, lengths.length - 1)]));
  const [from, setFrom] = useState(() => localInput(new Date(Date.now() + 3_600_000)));
  const [until, setUntil] = useState(() => localInput(new Date(Date.now() + 2 * 3_600_000)));
  const [reason, setReason] = useState('');
  const [ticket, setTicket] = useState('');
  const [once, setOnce] = useState(false);

  const begin = fromLocalInput(from);
  const end = fromLocalInput(until);
  const span = begin && end ? end.getTime() - begin.getTime() : 0;
  const wrongWindow =
    when === 'now'
      ? null
      : !begin || !end
        ? 'Say from when until when.'
        : span < 60_000
          ? 'The end must be after the beginning.'
          : span > rules.max_window_s * 1000
            ? `At most ${duration(rules.max_window_s * 1000)}.`
            : null;
  const short = rules.reason_min - characters(reason);
  const ready = !wrongWindow && short <= 0 && (!rules.ticket_needed || ticket.trim() !== '');

  function submit(event: SubmitEvent) {
    event.preventDefault();
    if (!ready) return;
    ask.mutate(
      {
        target_id: target.id,
        reason,
        once,
        ...(account ? { account } : {}),
        ...(ticket.trim() ? { ticket } : {}),
        ...(when === 'now'
          ? { duration_s: Number(length) }
          : {
              ...(begin ? { from: begin.toISOString() } : {}),
              ...(end ? { until: end.toISOString() } : {}),
            }),
      },
      { onSuccess: (request) => void navigate(`/access/${request.id}`) },
    );
  }

  return (
    <form onSubmit={submit} className={classes.form}>
      <p className={classes.hint}>
        {people(rules.approvals).replace(/^./, (c) => c.toUpperCase())} must approve, and never you yourself.
      </p>
      {choice}
      <div>
        <SegmentedControl
          fullWidth
          aria-label="When"
          value={when}
          onChange={(value) => setWhen(value === 'later' ? 'later' : 'now')}
          data={[
            { value: 'now', label: 'As soon as approved' },
            { value: 'later', label: 'At a certain time' },
          ]}
        />
      </div>
      {when === 'now' ? (
        <div>
          <div className={classes.label} id="access-length">
            For how long
          </div>
          <SegmentedControl
            fullWidth
            aria-labelledby="access-length"
            value={length}
            onChange={setLength}
            data={lengths.map((s) => ({
              value: String(s),
              label: s % 3600 === 0 ? `${s / 3600} h` : duration(s * 1000),
            }))}
          />
        </div>
      ) : (
        <div>
          <div className={classes.pair}>
            <TextInput
              type="datetime-local"
              label="From"
              value={from}
              onChange={(event) => setFrom(event.currentTarget.value)}
              required
            />
            <TextInput
              type="datetime-local"
              label="Until"
              value={until}
              onChange={(event) => setUntil(event.currentTarget.value)}
              error={wrongWindow}
              required
            />
          </div>
        </div>
      )}
      <Textarea
        label="Reason"
        description={
          short > 0 && reason
            ? `${short} more characters`
            : 'What you will do. Those who decide read it, and it stays on record.'
        }
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
        rows={3}
        maxLength={2000}
        required={rules.reason_min > 0}
        data-autofocus
      />
      <TicketInput rules={rules} value={ticket} onChange={setTicket} />
      <Switch
        label="For one session only"
        checked={once}
        onChange={(event) => setOnce(event.currentTarget.checked)}
      />
      {ask.error && <ProblemNotice error={ask.error} />}
      <Group justify="space-between" gap="sm">
        {onGlass ? (
          <Button
            variant="subtle"
            color="brick"
            leftSection={<IconUrgent size={17} stroke={1.6} />}
            onClick={onGlass}
          >
            It cannot wait
          </Button>
        ) : (
          <span />
        )}
        <Group gap="sm">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={ask.isPending} disabled={!ready}>
            Ask for access
          </Button>
        </Group>
      </Group>
    </form>
  );
}

function GlassForm({
  target,
  account,
  choice,
  rules,
  onClose,
  onGranted,
  onBack,
}: FormProps & { onGranted: () => void; onBack?: () => void }) {
  const breakGlass = useBreakGlass();
  const [reason, setReason] = useState('');
  const [ticket, setTicket] = useState('');
  const ready = characters(reason) >= Math.max(1, rules.reason_min);

  function submit(event: SubmitEvent) {
    event.preventDefault();
    if (!ready) return;
    breakGlass.mutate(
      {
        target_id: target.id,
        reason,
        ...(account ? { account } : {}),
        ...(ticket.trim() ? { ticket } : {}),
      },
      { onSuccess: onGranted },
    );
  }

  return (
    <form onSubmit={submit} className={classes.form}>
      <div className={classes.glass} role="note">
        <IconUrgent size={22} stroke={1.6} aria-hidden="true" />
        <div className={classes.glassTitle}>You take access that nobody has approved</div>
        <div>
          Everybody who could have approved it is told at once, somebody else reviews it afterwards, and the
          session is recorded. The access ends after {duration(rules.break_glass_s * 1000)}.
        </div>
      </div>
      {choice}
      <Textarea
        label="Why it cannot wait"
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
        rows={3}
        maxLength={2000}
        required
        data-autofocus
        {...(rules.reason_min > 1 ? { description: `At least ${rules.reason_min} characters` } : {})}
      />
      <TicketInput rules={{ ...rules, ticket_needed: false }} value={ticket} onChange={setTicket} />
      {breakGlass.error && <ProblemNotice error={breakGlass.error} />}
      <Group justify="flex-end" gap="sm">
        <Button variant="default" onClick={onBack ?? onClose}>
          {onBack ? 'Back' : 'Cancel'}
        </Button>
        <Button type="submit" color="brick" loading={breakGlass.isPending} disabled={!ready}>
          Break the glass and connect
        </Button>
      </Group>
    </form>
  );
}

interface TicketInputProps {
  rules: AccessRules;
  value: string;
  onChange: (value: string) => void;
}

function TicketInput({ rules, value, onChange }: TicketInputProps) {
  return (
    <TextInput
      label={rules.ticket_needed ? 'Ticket' : 'Ticket, if there is one'}
      required={rules.ticket_needed}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      maxLength={128}
      {...(rules.ticket_pattern ? { description: `Of the form ${plain(rules.ticket_pattern)}` } : {})}
    />
  );
}

/** The pattern without what binds it to the whole text. */
const plain = (pattern: string): string => pattern.replace(/^\^\(\?:(.*)\)\$$/, '$1');

/** How many characters the gateway counts. */
const characters = (text: string): number => Array.from(text.trim()).length;
