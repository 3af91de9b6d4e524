import {
  ActionIcon,
  Button,
  Checkbox,
  Group,
  Modal,
  SegmentedControl,
  Textarea,
  Tooltip,
} from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconTrash, IconX } from '@tabler/icons-react';
import { useState, type SubmitEvent } from 'react';
import type { Recording } from '../../api/client';
import {
  exportsQuery,
  useCancelExport,
  useCreateExport,
  useDownloadExport,
  type Export,
} from '../../api/exports';
import { ProblemNotice } from '../../components/states';
import { bytes, fullTime, when } from '../../lib/format';
import accessClasses from '../access/access.module.css';
import classes from './export-dialog.module.css';

const drawn = [
  { key: 'burn_time', label: 'Draw the time of day into the picture' },
  { key: 'burn_events', label: 'Draw typed lines, clipboard and alerts into the picture' },
  { key: 'subtitles', label: 'Add them as subtitles' },
  { key: 'one_size', label: 'One size throughout, for players that cannot change it' },
] as const;

type Option = (typeof drawn)[number]['key'];

/** Takes a recording out: begins exports, shows how far they are, and hands over what they made. */
export function ExportDialog({ recording, onClose }: { recording: Recording; onClose: () => void }) {
  const session = recording.session.id;
  const sealed = recording.state === 'sealed';
  const list = useQuery(exportsQuery(session));
  const create = useCreateExport(session);
  const [kind, setKind] = useState<Export['kind']>(sealed ? 'package' : 'mp4');
  const [options, setOptions] = useState<Option[]>([]);
  const [reason, setReason] = useState('');
  const ready = reason.trim().length >= 3;

  function submit(event: SubmitEvent) {
    event.preventDefault();
    if (!ready || create.isPending) return;
    const film = kind === 'mp4' ? Object.fromEntries(options.map((o) => [o, true])) : {};
    create.mutate({ kind, reason: reason.trim(), ...film });
  }

  return (
    <Modal opened onClose={onClose} title="Export the recording" size="lg">
      <form onSubmit={submit} className={accessClasses.form}>
        <SegmentedControl
          fullWidth
          aria-label="What to make"
          value={kind}
          onChange={(value) => setKind(value)}
          data={[
            { value: 'package', label: 'Evidence package', disabled: !sealed },
            { value: 'mp4', label: 'Film (MP4)' },
          ]}
        />
        <p className={accessClasses.hint}>
          {kind === 'package'
            ? 'A zip file with everything that was sealed, its signature and a report to print. Whoever gets it can verify it without this gateway.'
            : 'One file that any player plays.'}
          {!sealed && ' An evidence package can be made once the recording is sealed.'}
        </p>
        {kind === 'mp4' && (
          <div className={classes.options} role="group" aria-label="Options">
            {drawn.map(({ key, label }) => (
              <Checkbox
                key={key}
                label={label}
                checked={options.includes(key)}
                onChange={(event) => {
                  const on = event.currentTarget.checked;
                  setOptions((before) => (on ? [...before, key] : before.filter((o) => o !== key)));
                }}
              />
            ))}
          </div>
        )}
        <Textarea
          label="What for"
          description="Kept in the audit log."
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
          rows={2}
          maxLength={500}
          required
          data-autofocus
        />
        {create.error && <ProblemNotice error={create.error} />}
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={onClose}>
            Close
          </Button>
          <Button type="submit" disabled={!ready} loading={create.isPending}>
            Export
          </Button>
        </Group>
      </form>
      {list.error && <ProblemNotice error={list.error} onRetry={() => void list.refetch()} />}
      {list.data && list.data.length > 0 && (
        <ul className={classes.list} aria-label="Exports">
          {list.data.map((x) => (
            <Item key={x.id} session={session} item={x} />
          ))}
        </ul>
      )}
    </Modal>
  );
}

function Item({ session, item }: { session: string; item: Export }) {
  const cancel = useCancelExport(session);
  const download = useDownloadExport(session);
  const open = item.state === 'waiting' || item.state === 'running';
  const error = cancel.error ?? download.error;
  return (
    <li className={classes.item}>
      <div className={classes.what}>
        <div>{item.kind === 'package' ? 'Evidence package' : 'Film'}</div>
        <div className={classes.sub}>
          {stateText(item)} · {item.by}, {when(item.created_at)}: {item.reason}
        </div>
        {open && <progress className={classes.bar} value={item.progress} max={1} aria-label="Progress" />}
        {item.error && <div className={classes.bad}>{item.error}</div>}
        {error && <ProblemNotice error={error} />}
      </div>
      <div className={classes.tools}>
        {item.state === 'done' && (
          <Button
            size="xs"
            variant="light"
            loading={download.isPending}
            onClick={() => download.mutate(item.id)}
          >
            Download
          </Button>
        )}
        {(open || item.state === 'done') && (
          <Tooltip label={open ? 'Cancel' : 'Remove the result'}>
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={open ? 'Cancel the export' : 'Remove the result'}
              loading={cancel.isPending}
              onClick={() => cancel.mutate(item.id)}
            >
              {open ? <IconX size={17} stroke={1.6} /> : <IconTrash size={17} stroke={1.6} />}
            </ActionIcon>
          </Tooltip>
        )}
      </div>
    </li>
  );
}

function stateText(item: Export): string {
  switch (item.state) {
    case 'waiting':
      return 'Waits for its turn';
    case 'running':
      return `${Math.floor(item.progress * 100).toString()} % done`;
    case 'done':
      return `${bytes(item.bytes ?? 0)}${item.expires_at ? `, until ${fullTime(item.expires_at)}` : ''}`;
    case 'failed':
      return 'Failed';
    case 'cancelled':
      return 'Cancelled';
    case 'expired':
      return 'No longer there';
  }
}
