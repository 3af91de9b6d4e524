import {
  Button,
  CopyButton,
  Group,
  Modal,
  NativeSelect,
  SegmentedControl,
  Skeleton,
  Switch,
  Text,
} from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconCheck, IconCopy, IconDownload } from '@tabler/icons-react';
import { useEffect, useRef, useState, type SubmitEvent } from 'react';
import { nativeClientQuery, useNativeTicket, type NativeClient, type NativeTicket } from '../../api/native';
import type { TargetAccount } from '../../api/targets';
import panel from '../../components/panel.module.css';
import { ProblemNotice } from '../../components/states';
import { useNow } from '../../lib/use-now';
import { isNeeded, NeededForm, type Given } from './needed-form';
import classes from './native-dialog.module.css';

interface NativeTarget {
  id: string;
  name: string;
  /** Those that may be opened. */
  accounts: TargetAccount[];
}

interface NativeDialogProps {
  /** null: closed. */
  target: NativeTarget | null;
  onClose: () => void;
}

/** Gets a ticket for a native RDP client, as a file and as a command. */
export function NativeDialog({ target, onClose }: NativeDialogProps) {
  return (
    <Modal
      opened={target !== null}
      onClose={onClose}
      size="lg"
      title={`Open ${target?.name ?? ''} in an RDP client`}
    >
      {target && <Content key={target.id} target={target} onClose={onClose} />}
    </Modal>
  );
}

function Content({ target, onClose }: { target: NativeTarget; onClose: () => void }) {
  const { data: client, error, isPending, refetch } = useQuery(nativeClientQuery);
  if (isPending) return <Skeleton height={220} />;
  if (error) return <ProblemNotice error={error} onRetry={() => void refetch()} />;
  return <Ask target={target} client={client} onClose={onClose} />;
}

const windows = [
  { value: '', label: 'The whole screen' },
  { value: '1280x800', label: '1280 × 800' },
  { value: '1440x900', label: '1440 × 900' },
  { value: '1920x1080', label: '1920 × 1080' },
];

function Ask({
  target,
  client,
  onClose,
}: {
  target: NativeTarget;
  client: NativeClient;
  onClose: () => void;
}) {
  const ticket = useNativeTicket();
  const [account, setAccount] = useState(target.accounts[0]?.name ?? '');
  const [size, setSize] = useState('');
  const [form, setForm] = useState<'shell' | 'nla'>(client.address ? 'shell' : 'nla');
  const [bound, setBound] = useState(false);
  const [given, setGiven] = useState<Given>({});

  function get(more: Given = {}) {
    const all = { ...given, ...more };
    setGiven(all);
    const [width, height] = size.split('x').map(Number);
    ticket.mutate({
      target_id: target.id,
      form,
      bind_address: bound,
      ...(target.accounts.length > 1 ? { account } : {}),
      ...(width && height ? { width, height } : {}),
      ...(all.reason ? { reason: all.reason } : {}),
      ...(all.ticket ? { ticket: all.ticket } : {}),
    });
  }
  if (ticket.data) {
    return <Ready ticket={ticket.data} client={client} onAgain={() => ticket.reset()} onClose={onClose} />;
  }
  if (isNeeded(ticket.error)) {
    return (
      <NeededForm
        key={ticket.error.problem.code}
        error={ticket.error}
        given={given}
        back="Back"
        onGive={get}
        onBack={() => ticket.reset()}
      />
    );
  }
  function submit(event: SubmitEvent) {
    event.preventDefault();
    get();
  }
  return (
    <form onSubmit={submit} className={classes.form}>
      <p className={classes.lead}>
        For mstsc, FreeRDP or Remmina. The session is recorded and watched over as in the browser; drives,
        printers and other devices stay with you.
      </p>
      {target.accounts.length > 1 && (
        <NativeSelect
          label="Account on the target"
          data={target.accounts.map((a) => a.name)}
          value={account}
          onChange={(event) => setAccount(event.currentTarget.value)}
        />
      )}
      <NativeSelect
        label="Size of the window"
        data={windows}
        value={size}
        onChange={(event) => setSize(event.currentTarget.value)}
      />
      {client.address && client.nla_address && (
        <div>
          <Text size="sm" fw={600} mb={6} id="native-form">
            How the client proves who you are
          </Text>
          <SegmentedControl
            fullWidth
            aria-labelledby="native-form"
            value={form}
            onChange={(value) => setForm(value === 'nla' ? 'nla' : 'shell')}
            data={[
              { value: 'shell', label: 'Ticket in the file' },
              { value: 'nla', label: 'One-time password (NLA)' },
            ]}
          />
          <Text size="xs" c="dimmed" mt={6}>
            {form === 'shell'
              ? 'Nothing to type. Right for most clients.'
              : 'You type or paste a password. For clients that insist on network level authentication.'}
          </Text>
        </div>
      )}
      <Switch
        label="Only from this computer’s address"
        description={`${client.client_address}, as the gateway sees you now`}
        checked={bound}
        onChange={(event) => setBound(event.currentTarget.checked)}
      />
      {ticket.error && <ProblemNotice error={ticket.error} />}
      <Group justify="flex-end" gap="sm">
        <Button variant="subtle" color="gray" onClick={onClose}>
          Cancel
        </Button>
        <Button
          type="submit"
          loading={ticket.isPending}
          leftSection={<IconDownload size={16} stroke={1.8} />}
        >
          Get the file
        </Button>
      </Group>
    </form>
  );
}

/** Saves the file. Its address is one of this page's memory, so that the ticket is in no history. */
function download(ticket: NativeTicket) {
  const bytes = Uint8Array.from(atob(ticket.file), (c) => c.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([bytes], { type: 'application/x-rdp' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = ticket.file_name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

interface ReadyProps {
  ticket: NativeTicket;
  client: NativeClient;
  onAgain: () => void;
  onClose: () => void;
}

function Ready({ ticket, client, onAgain, onClose }: ReadyProps) {
  const now = useNow(true, 1000);
  const left = Math.max(0, Math.ceil((Date.parse(ticket.expires_at) - now) / 1000));
  const saved = useRef(false);
  useEffect(() => {
    if (!saved.current) download(ticket);
    saved.current = true;
  }, [ticket]);
  if (left === 0) {
    return (
      <>
        <p className={classes.lead} role="status">
          This ticket is over. If you have not connected by now, get another one.
        </p>
        <Group justify="flex-end" gap="sm" mt="lg">
          <Button variant="subtle" color="gray" onClick={onClose}>
            Close
          </Button>
          <Button onClick={onAgain} data-autofocus>
            Another ticket
          </Button>
        </Group>
      </>
    );
  }
  return (
    <div className={classes.form}>
      <p className={classes.lead} role="status">
        <b>{ticket.file_name}</b> is in your downloads: open it with your RDP client. It opens this desktop
        once, within <span className="mono">{left}</span> s, and is worth nothing afterwards.
      </p>
      {ticket.password && (
        <div>
          <Line label="User name" value={ticket.username} />
          <Line label="One-time password" value={ticket.password} />
        </div>
      )}
      <div>
        <Line label="Or with FreeRDP, by the file" value={`xfreerdp '${ticket.file_name}'`} />
        <Line label="or without it" value={ticket.command} />
        {!ticket.password && (
          <Text size="xs" c="dimmed" mt={6}>
            The command holds the ticket, which others on your computer can see while it runs; by then it is
            used up.
          </Text>
        )}
      </div>
      {client.certificate_sha256 && (
        <details className={classes.more}>
          <summary>Does your client ask about a certificate?</summary>
          <p>
            Accept it only if its SHA-256 fingerprint is this one:
            <code className="mono">{client.certificate_sha256.match(/../g)?.join(':')}</code>
          </p>
        </details>
      )}
      <Group justify="flex-end" gap="sm">
        <Button
          variant="default"
          leftSection={<IconDownload size={16} stroke={1.8} />}
          onClick={() => download(ticket)}
        >
          Download again
        </Button>
        <Button onClick={onClose} data-autofocus>
          Done
        </Button>
      </Group>
    </div>
  );
}

/** Something to copy, on one line. */
function Line({ label, value }: { label: string; value: string }) {
  return (
    <div className={classes.line}>
      <span className={classes.label}>{label}</span>
      <div className={panel.secret}>
        <code className="mono" aria-label={label}>
          {value}
        </code>
        <CopyButton value={value}>
          {({ copied, copy }) => (
            <Button
              size="xs"
              variant="default"
              aria-label={`Copy: ${label}`}
              leftSection={copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
              onClick={copy}
            >
              {copied ? 'Copied' : 'Copy'}
            </Button>
          )}
        </CopyButton>
      </div>
    </div>
  );
}
