import { Button, FocusTrap, Group } from '@mantine/core';
import type { Target } from '../../api/client';
import { ProblemNotice } from '../../components/states';
import { Steps } from '../../components/steps';
import classes from './connecting.module.css';

interface ConnectingProps {
  target: Target;
  error: unknown;
  onRetry: () => void;
  onBack: () => void;
}

/** Fills the window while the gateway dials the target; the desktop page takes over in the same colours. */
export function Connecting({ target, error, onRetry, onBack }: ConnectingProps) {
  return (
    <FocusTrap active>
      <div
        className={`v-dark ${classes.stage ?? ''}`}
        role="dialog"
        aria-modal="true"
        aria-label={`Connecting to ${target.name}`}
      >
        <div className={classes.box} data-autofocus tabIndex={-1} style={{ outline: 'none' }}>
          <h2 className={classes.name}>{target.name}</h2>
          <p className={classes.address}>
            {target.protocol.toUpperCase()} · <span className="mono">{target.address}</span>
          </p>
          {error ? (
            <>
              <ProblemNotice error={error} />
              <Group mt="lg" gap="sm">
                <Button onClick={onRetry}>Try again</Button>
                <Button variant="subtle" color="gray" onClick={onBack}>
                  Back to the targets
                </Button>
              </Group>
            </>
          ) : (
            <Steps
              steps={['Reaching the target', 'Agreeing on the video', 'Waiting for the first picture']}
              current={0}
            />
          )}
        </div>
      </div>
    </FocusTrap>
  );
}
