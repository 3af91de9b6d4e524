import { Checkbox, Textarea } from '@mantine/core';
import { useState } from 'react';
import type { Session } from '../api/client';
import { useCan, useMe } from '../api/me';
import { useTerminate } from '../api/queries';
import { Confirm } from './confirm';

interface TerminateDialogProps {
  /** null: closed. */
  session: Session | null;
  onClose: () => void;
}

/** Ends a session, with what its person is told, and perhaps keeps them from coming back. */
export function TerminateDialog({ session, onClose }: TerminateDialogProps) {
  const terminate = useTerminate();
  const me = useMe();
  const can = useCan();
  const [reason, setReason] = useState('');
  const [lockUser, setLockUser] = useState(false);
  const mine = session?.user.id === me.id;

  function close() {
    terminate.reset();
    setReason('');
    setLockUser(false);
    onClose();
  }
  return (
    <Confirm
      opened={session !== null}
      title="Terminate this session?"
      action="Terminate"
      busy={terminate.isPending}
      error={terminate.error}
      onClose={close}
      onConfirm={() =>
        session &&
        terminate.mutate(
          { session: session.id, reason: reason.trim() || 'terminated from the console', lockUser },
          { onSuccess: close },
        )
      }
    >
      <p style={{ margin: 0 }}>
        {session?.user.name} loses the desktop “{session?.target.name}” at once. What was recorded is kept.
      </p>
      {!mine && (
        <Textarea
          mt="md"
          label="Reason"
          description={`${session?.user.name ?? ''} reads it.`}
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
          rows={2}
          maxLength={500}
        />
      )}
      {!mine && can('lock_user') && (
        <Checkbox
          mt="md"
          label={`Also lock ${session?.user.name ?? ''} out`}
          description="No more signing in; sign-ins, tokens and other sessions end, too."
          checked={lockUser}
          onChange={(event) => setLockUser(event.currentTarget.checked)}
        />
      )}
    </Confirm>
  );
}
