import { Button, Group, Modal } from '@mantine/core';
import type { Session } from '../../api/client';
import { useCan, useMe } from '../../api/me';
import { useTerminate } from '../../api/queries';
import { ProblemNotice } from '../../components/states';
import type { Viewer } from '../../viewer/viewer';

interface LeaveDialogProps {
  opened: boolean;
  session: Session;
  viewer: Viewer;
  onLeave: () => void;
  onClose: () => void;
}

/** Disconnecting is two things: going away from a session that goes on, and ending it. */
export function LeaveDialog({ opened, session, viewer, onLeave, onClose }: LeaveDialogProps) {
  const me = useMe();
  const can = useCan();
  const terminate = useTerminate();
  const mayEnd = session.user.id === me.id || can('terminate');

  function end() {
    terminate.mutate(
      { session: session.id, reason: 'disconnected by the user' },
      {
        onSuccess: () => {
          viewer.stop();
          onLeave();
        },
      },
    );
  }

  return (
    <Modal
      opened={opened}
      onClose={onClose}
      returnFocus={false}
      title={`Disconnect from ${session.target.name}?`}
    >
      <p style={{ margin: '0 0 4px' }}>
        Leave the session running to come back to it later, or end it, which seals its recording.
      </p>
      {terminate.error && <ProblemNotice error={terminate.error} />}
      <Group justify="flex-end" mt="lg" gap="sm">
        <Button variant="subtle" color="gray" onClick={onClose}>
          Cancel
        </Button>
        <Button variant="default" onClick={onLeave} data-autofocus>
          Leave it running
        </Button>
        {mayEnd && (
          <Button color="brick" loading={terminate.isPending} onClick={end}>
            End the session
          </Button>
        )}
      </Group>
    </Modal>
  );
}
