import { Button, Loader } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { toProblem } from '../api/problem';
import classes from './states.module.css';

export function PageLoading() {
  return (
    <div className={classes.center}>
      <Loader type="dots" color="var(--v-ink-3)" aria-label="Loading" />
    </div>
  );
}

interface EmptyProps {
  icon: ReactNode;
  title: string;
  children?: ReactNode;
}

/** Stands where a list would, when there is nothing to list. */
export function Empty({ icon, title, children }: EmptyProps) {
  return (
    <div className={classes.empty}>
      {icon}
      <div className={classes.emptyTitle}>{title}</div>
      {children && <div className={classes.emptyText}>{children}</div>}
    </div>
  );
}

/**
 * An error of any kind as title, detail and code, with a way to try again where one makes sense. The title of an
 * about:blank problem is but the words of its HTTP status (RFC 9457), which tell people nothing.
 */
export function ProblemNotice({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const problem = toProblem(error);
  const plain = problem.type === 'about:blank' && problem.detail;
  const title = plain ? problem.detail : problem.title;
  return (
    <div className={classes.problem} role="alert">
      <IconAlertTriangle size={20} stroke={1.6} aria-hidden="true" />
      <div className={classes.problemTitle}>{title}</div>
      {problem.detail && problem.detail !== title && (
        <div className={classes.problemDetail}>{problem.detail}</div>
      )}
      <div className={classes.problemCode}>
        <span className="mono">{problem.code}</span>
        {problem.instance && (
          <>
            {' · request '}
            <span className="mono">{problem.instance}</span>
          </>
        )}
      </div>
      {onRetry && (
        <div className={classes.problemActions}>
          <Button variant="default" size="xs" onClick={onRetry}>
            Try again
          </Button>
        </div>
      )}
    </div>
  );
}
