import { Modal } from '@mantine/core';
import { useSyncExternalStore } from 'react';
import type { Session } from '../../api/client';
import { useAnswer } from '../../api/supervise';
import { ReasonForm } from '../../components/reason-form';
import type { Desktop } from './use-desktop';

/** A rule asks why: whoever has control of the desktop says so, or does not do it. */
export function QuestionDialog({ desktop, session }: { desktop: Desktop; session: Session }) {
  const { viewer, stage } = desktop;
  // Here and not in the form: what comes of an answer is heard after the form has gone with its question.
  const answer = useAnswer();
  const { question, phase } = useSyncExternalStore(viewer.store.subscribe, viewer.store.get);
  const asked = question?.mine && (phase.name === 'live' || phase.name === 'frozen') ? question : null;

  function say(said: { reason: string } | { refuse: true }) {
    if (!asked) return;
    answer.mutate(
      { session: session.id, question: asked.id, viewer: viewer.store.get().viewer, ...said },
      {
        onSuccess: ({ sent }) => {
          stage.focus();
          if ('refuse' in said) {
            if (asked.held && asked.source === 'typed')
              viewer.notify('info', 'It was not done. What you typed stands on the desktop as it was.');
          } else if (asked.source === 'clipboard' && sent) {
            viewer.notify('info', 'The text is on the clipboard of the desktop. Paste it again.');
          } else if (asked.held && !sent) {
            viewer.notify(
              'info',
              'Something else happened on the desktop meanwhile. Look, and do it again if you still want to: you are not asked again.',
            );
          }
        },
      },
    );
  }

  return (
    <Modal
      opened={asked !== null}
      onClose={() => undefined}
      returnFocus={false}
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
      title="Why do you do this?"
    >
      {asked && (
        <ReasonForm
          key={asked.id}
          question={asked}
          busy={answer.isPending}
          error={answer.variables?.question === asked.id ? answer.error : null}
          onSay={say}
        />
      )}
    </Modal>
  );
}
