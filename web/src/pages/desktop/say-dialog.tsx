import { Button, Group, Modal, Textarea } from '@mantine/core';
import { useState, type SubmitEvent } from 'react';
import type { Session } from '../../api/client';
import { useFreeze, useSendMessage } from '../../api/supervise';
import { ProblemNotice } from '../../components/states';

interface SayDialogProps {
  /** null: closed. */
  kind: 'freeze' | 'message' | null;
  session: Session;
  onClose: () => void;
}

/** Asks for what the session's person is to read: why it is frozen, or a message. */
export function SayDialog({ kind, session, onClose }: SayDialogProps) {
  const title = kind === 'freeze' ? 'Freeze this session' : `Message to ${session.user.name}`;
  return (
    <Modal opened={kind !== null} onClose={onClose} returnFocus={false} title={title}>
      {kind && <Form kind={kind} session={session} onClose={onClose} />}
    </Modal>
  );
}

function Form({ kind, session, onClose }: SayDialogProps & { kind: 'freeze' | 'message' }) {
  const freeze = useFreeze();
  const send = useSendMessage();
  const [text, setText] = useState('');
  const freezing = kind === 'freeze';
  const error = freeze.error ?? send.error;
  const ready = text.trim() !== '';

  function submit(event: SubmitEvent) {
    event.preventDefault();
    if (!ready) return;
    if (freezing) freeze.mutate({ session: session.id, reason: text.trim() }, { onSuccess: onClose });
    else send.mutate({ session: session.id, text: text.trim() }, { onSuccess: onClose });
  }

  return (
    <form onSubmit={submit}>
      {freezing && (
        <p style={{ margin: '0 0 14px' }}>
          {session.user.name} sees a blurred picture and can do nothing until somebody resumes the session.
          The desktop and the recording go on.
        </p>
      )}
      <Textarea
        label={freezing ? 'Reason' : 'Message'}
        description={`${session.user.name} reads it.`}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        rows={3}
        maxLength={freezing ? 500 : 1000}
        required
        data-autofocus
      />
      {error && (
        <div style={{ marginTop: 14 }}>
          <ProblemNotice error={error} />
        </div>
      )}
      <Group justify="flex-end" mt="lg" gap="sm">
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" loading={freeze.isPending || send.isPending} disabled={!ready}>
          {freezing ? 'Freeze' : 'Send'}
        </Button>
      </Group>
    </form>
  );
}
