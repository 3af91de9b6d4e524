import type { ReactNode } from 'react';
import classes from '../pages/sign-in/sign-in.module.css';
import { ColorSchemeMenu } from './color-scheme';
import { Logo } from './logo';

/** A page like the sign-in page: what stands between people and the console. */
export function DoorPage({ title, sub, children }: { title: string; sub?: string; children: ReactNode }) {
  return (
    <div className={classes.page}>
      <div className={classes.top}>
        <ColorSchemeMenu />
      </div>
      <main className={classes.middle}>
        <div className={classes.case}>
          <div className={classes.panel}>
            <div className={classes.brand} style={sub ? { marginBottom: 8 } : undefined}>
              <Logo size={34} />
              <h1>{title}</h1>
            </div>
            {sub && <p style={{ margin: '0 0 22px', color: 'var(--v-ink-2)' }}>{sub}</p>}
            {children}
          </div>
          <div className={classes.plinth} />
        </div>
      </main>
      <div />
    </div>
  );
}
