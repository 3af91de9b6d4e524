import { Button, FocusTrap, Group } from '@mantine/core';
import { ProblemNotice } from '../../components/states';
import { Steps } from '../../components/steps';
import classes from './connecting.module.css';
import { isNeeded, NeededForm, type Given } from './needed-form';
import type { Destination } from './use-connect';

interface ConnectingProps {
  target: Destination;
  error: unknown;
  onRetry: () => void;
  /** Tries again with what a policy wants to know. */
  onGive?: (given: Given) => void;
  onBack: () => void;
  /** Where onBack leads. */
  back?: string;
}

/** Fills the window while the gateway dials the target; the desktop page takes over in the same colours. */
export function Connecting({
  target,
  error,
  onRetry,
  onGive,
  onBack,
  back = 'Back to the targets',
}: ConnectingProps) {
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
          {target.protocol && (
            <p className={classes.address}>
              {target.protocol.toUpperCase()} · <span className="mono">{target.address}</span>
            </p>
          )}
          {isNeeded(error) && onGive ? (
            <NeededForm
              key={error.problem.code}
              error={error}
              given={target}
              back={back}
              onGive={onGive}
              onBack={onBack}
            />
          ) : error ? (
            <>
              <ProblemNotice error={error} />
              <Group mt="lg" gap="sm">
                <Button onClick={onRetry}>Try again</Button>
                <Button variant="subtle" color="gray" onClick={onBack}>
                  {back}
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
