import { Button, Group, Modal, Textarea, TextInput } from '@mantine/core';
import { useState, type SubmitEvent } from 'react';
import type { Recording } from '../../api/client';
import { useCustody, type CustodyChange, type Custody } from '../../api/exports';
import { useCan } from '../../api/me';
import { Facts } from '../../components/panel';
import { ProblemNotice } from '../../components/states';
import { fullTime } from '../../lib/format';
import accessClasses from '../access/access.module.css';

/** How long a recording is kept; for those who manage the gateway, a legal hold on or off, or its key destroyed. */
export function CustodyDialog({ recording, onClose }: { recording: Recording; onClose: () => void }) {
  const can = useCan();
  const { custody } = recording;
  const [act, setAct] = useState<CustodyChange['act'] | null>(null);
  return (
    <Modal opened onClose={onClose} title="How long it is kept" size="lg">
      <Facts facts={facts(custody)} />
      {act && <Change key={act} recording={recording} act={act} onDone={() => setAct(null)} />}
      {!act && (
        <Group justify="flex-end" mt="lg" gap="sm">
          {can('manage_system') && recording.state !== 'deleted' && (
            <>
              {recording.state === 'sealed' && !custody?.hold && !custody?.shredded && (
                <Button variant="subtle" color="brick" onClick={() => setAct('shred')}>
                  Shred the key…
                </Button>
              )}
              <Button variant="default" onClick={() => setAct(custody?.hold ? 'release' : 'hold')}>
                {custody?.hold ? 'Release the hold…' : 'Put on legal hold…'}
              </Button>
            </>
          )}
          <Button variant="default" onClick={onClose} data-autofocus>
            Close
          </Button>
        </Group>
      )}
    </Modal>
  );
}

function facts(custody: Custody | undefined): [string, string][] {
  const out: [string, string][] = [];
  out.push([
    'Kept',
    custody?.retain_until ? `until ${fullTime(custody.retain_until)}, then it is deleted` : 'without end',
  ]);
  const act = (what: string, a: Custody['hold']) => {
    if (a) out.push([what, `${fullTime(a.at)}${a.by ? `, ${a.by}` : ''}: ${a.reason}`]);
  };
  act('On legal hold since', custody?.hold);
  act('Key shredded', custody?.shredded);
  act('Deleted', custody?.deleted);
  if (custody?.deletion_error) out.push(['Not deleted yet', custody.deletion_error]);
  return out;
}

const texts = {
  hold: { hint: 'Nothing deletes or shreds the recording until the hold is released.', verb: 'Put on hold' },
  release: { hint: 'A recording whose time is over is deleted soon after.', verb: 'Release the hold' },
  shred: {
    hint: 'The key is destroyed: nobody can watch or read this recording any more, ever. That it is the one that was sealed can still be verified.',
    verb: 'Shred the key',
  },
};

interface ChangeProps {
  recording: Recording;
  act: CustodyChange['act'];
  onDone: () => void;
}

function Change({ recording, act, onDone }: ChangeProps) {
  const session = recording.session.id;
  const change = useCustody(session);
  const [reason, setReason] = useState('');
  const [confirm, setConfirm] = useState('');
  const ready = reason.trim().length >= 3 && (act !== 'shred' || confirm.trim() === session);

  function submit(event: SubmitEvent) {
    event.preventDefault();
    if (ready) change.mutate({ act, reason: reason.trim(), confirm: confirm.trim() }, { onSuccess: onDone });
  }

  return (
    <form onSubmit={submit} className={accessClasses.form} style={{ marginTop: 20 }}>
      <p className={accessClasses.hint}>{texts[act].hint}</p>
      <Textarea
        label="Why"
        description="Kept in the audit log."
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
        rows={2}
        maxLength={500}
        required
        data-autofocus
      />
      {act === 'shred' && (
        <TextInput
          label="To confirm, type the id of the session"
          description={session}
          value={confirm}
          onChange={(event) => setConfirm(event.currentTarget.value)}
          autoComplete="off"
          required
        />
      )}
      {change.error && <ProblemNotice error={change.error} />}
      <Group justify="flex-end" gap="sm">
        <Button variant="default" onClick={onDone}>
          Cancel
        </Button>
        <Button
          type="submit"
          disabled={!ready}
          loading={change.isPending}
          {...(act === 'shred' ? { color: 'brick' } : {})}
        >
          {texts[act].verb}
        </Button>
      </Group>
    </form>
  );
}
