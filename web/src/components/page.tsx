import type { ReactNode } from 'react';
import classes from './page.module.css';

interface PageHeadProps {
  title: string;
  sub?: ReactNode;
  children?: ReactNode;
}

/** The top of a page: its name, one line about it, its tools. */
export function PageHead({ title, sub, children }: PageHeadProps) {
  return (
    <div className={classes.head}>
      <div>
        <h1>{title}</h1>
        {sub && <p className={classes.sub}>{sub}</p>}
      </div>
      {children && <div className={classes.tools}>{children}</div>}
    </div>
  );
}
