import { ActionIcon, Button, Tooltip } from '@mantine/core';
import {
  IconHandStop,
  IconMessage,
  IconPlayerPlay,
  IconPlayerStop,
  IconSnowflake,
  IconHandOff,
} from '@tabler/icons-react';
import { useState, useSyncExternalStore } from 'react';
import type { Session } from '../../api/client';
import { useCan } from '../../api/me';
import { useReleaseControl, useResume, useTakeControl } from '../../api/supervise';
import { TerminateDialog } from '../../components/terminate-dialog';
import { SayDialog } from './say-dialog';
import type { Desktop } from './use-desktop';

interface SuperviseProps {
  desktop: Desktop;
  session: Session;
}

/** What somebody who watches another's session may do about it. */
export function Supervise({ desktop, session }: SuperviseProps) {
  const { viewer, stage } = desktop;
  const { over, freeze, viewer: id } = useSyncExternalStore(viewer.store.subscribe, viewer.store.get);
  const can = useCan();
  const take = useTakeControl();
  const release = useReleaseControl();
  const resume = useResume();
  const [dialog, setDialog] = useState<'freeze' | 'message' | 'terminate' | null>(null);

  const then = {
    onSuccess: () => stage.focus(),
    onError: (error: Error) => viewer.notify('error', error.message),
  };
  function close() {
    setDialog(null);
    stage.focus();
  }

  return (
    <>
      {can('take_over') &&
        (over?.mine ? (
          <Button
            size="compact-sm"
            color="brass"
            variant="filled"
            leftSection={<IconHandOff size={16} stroke={1.7} />}
            loading={release.isPending}
            onClick={() => release.mutate(session.id, then)}
          >
            Give back control
          </Button>
        ) : (
          <Button
            size="compact-sm"
            variant="light"
            leftSection={<IconHandStop size={16} stroke={1.7} />}
            loading={take.isPending}
            disabled={id === ''}
            onClick={() => take.mutate({ session: session.id, viewer: id, fromOther: over !== null }, then)}
          >
            {over ? `Take control from ${over.by}` : 'Take control'}
          </Button>
        ))}
      {can('freeze') &&
        (freeze ? (
          <Button
            size="compact-sm"
            variant="light"
            leftSection={<IconPlayerPlay size={16} stroke={1.7} />}
            loading={resume.isPending}
            onClick={() => resume.mutate(session.id, then)}
          >
            Resume
          </Button>
        ) : (
          <Button
            size="compact-sm"
            variant="light"
            leftSection={<IconSnowflake size={16} stroke={1.7} />}
            onClick={() => setDialog('freeze')}
          >
            Freeze
          </Button>
        ))}
      {can('message') && (
        <Tool label={`Message to ${session.user.name}`} onClick={() => setDialog('message')}>
          <IconMessage size={18} stroke={1.6} />
        </Tool>
      )}
      {can('terminate') && (
        <Tool label="Terminate the session" onClick={() => setDialog('terminate')}>
          <IconPlayerStop size={18} stroke={1.6} />
        </Tool>
      )}
      <SayDialog
        kind={dialog === 'freeze' || dialog === 'message' ? dialog : null}
        session={session}
        onClose={close}
      />
      <TerminateDialog session={dialog === 'terminate' ? session : null} onClose={close} />
    </>
  );
}

function Tool(props: { label: string; onClick: () => void; children: React.ReactNode }) {
  return (
    <Tooltip label={props.label}>
      <ActionIcon variant="subtle" color="gray" size="lg" aria-label={props.label} onClick={props.onClick}>
        {props.children}
      </ActionIcon>
    </Tooltip>
  );
}
