import { IconCheck } from '@tabler/icons-react';
import classes from './steps.module.css';

/** What is done, what is going on and what is to come, on a dark ground. */
export function Steps({ steps, current }: { steps: string[]; current: number }) {
  return (
    <ol className={classes.steps} aria-live="polite">
      {steps.map((step, i) => (
        <li
          key={step}
          className={classes.step}
          data-state={i < current ? 'done' : i === current ? 'current' : 'ahead'}
          {...(i === current ? { 'aria-current': 'step' as const } : {})}
        >
          <span className={classes.dot}>{i < current && <IconCheck size={16} stroke={2.2} />}</span>
          {step}
        </li>
      ))}
    </ol>
  );
}
