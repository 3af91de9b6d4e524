import { CloseButton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { useNavigate, useParams, useSearchParams } from 'react-router';
import type { Session } from '../../api/client';
import { useMe } from '../../api/me';
import { sessionQuery } from '../../api/queries';
import { PageLoading, ProblemNotice } from '../../components/states';
import { useTitle } from '../../lib/use-title';
import type { DisplayMode } from '../../viewer/geometry';
import type { Role } from '../../viewer/protocol';
import type { Viewer } from '../../viewer/viewer';
import classes from './desktop.module.css';
import { loadDisplayMode, loadDocked, saveDisplayMode, saveDocked } from './display-mode';
import { EndingBanner } from './ending-banner';
import { LeaveDialog } from './leave-dialog';
import { MessageDialog } from './message-dialog';
import { Overlay } from './overlay';
import { Presence } from './presence';
import { QuestionDialog } from './question-dialog';
import { Toolbar } from './toolbar';
import { useDesktop, type Desktop } from './use-desktop';
import { useFullScreen } from './use-full-screen';

/** The desktop of one session, in the full window. */
export function DesktopPage() {
  const { session: id = '' } = useParams();
  const [params] = useSearchParams();
  const me = useMe();
  const { data: session, error, refetch } = useQuery(sessionQuery(id));
  useTitle(session?.target.name ?? 'Desktop');
  if (error && !session) {
    return (
      <main style={{ maxWidth: 600, margin: '18vh auto 0', padding: 24 }}>
        <ProblemNotice error={error} onRetry={() => void refetch()} />
      </main>
    );
  }
  if (!session) return <PageLoading />;
  const role = params.get('role') === 'view' || session.user.id !== me.id ? 'view' : 'control';
  return <DesktopView key={session.id} session={session} role={role} />;
}

function DesktopView({ session, role }: { session: Session; role: Role }) {
  const { desktop, mount } = useDesktop(session.id, role);
  const [docked, setDocked] = useState(loadDocked);
  const [mode, setMode] = useState<DisplayMode>(loadDisplayMode);
  const [leaving, setLeaving] = useState(false);
  const fullScreen = useFullScreen();
  const navigate = useNavigate();
  const bar = docked && !fullScreen.active;

  function changeMode(next: DisplayMode) {
    setMode(next);
    saveDisplayMode(next);
    desktop?.stage.setMode(next);
    desktop?.stage.focus();
  }

  return (
    <div className={classes.page} data-docked={bar}>
      {desktop && (
        <Toolbar
          desktop={desktop}
          session={session}
          docked={bar}
          mode={mode}
          fullScreen={fullScreen.active}
          onDock={() => {
            setDocked(!docked);
            saveDocked(!docked);
          }}
          onMode={changeMode}
          onFullScreen={() => void fullScreen.toggle().then(() => desktop.stage.focus())}
          onLeave={() => setLeaving(true)}
        />
      )}
      <div className={classes.room}>
        <div className={classes.stage} ref={mount} />
        {desktop && <EndingBanner viewer={desktop.viewer} />}
        {desktop && <Notices viewer={desktop.viewer} />}
        {desktop && !bar && (
          <div className={classes.presence}>
            <Presence viewer={desktop.viewer} />
          </div>
        )}
        {desktop && <MessageDialog desktop={desktop} />}
        {desktop && <QuestionDialog desktop={desktop} session={session} />}
        {desktop && <DesktopOverlay desktop={desktop} session={session} />}
      </div>
      {desktop && (
        <LeaveDialog
          opened={leaving}
          session={session}
          viewer={desktop.viewer}
          onLeave={() => void navigate(role === 'view' ? '/sessions' : '/targets')}
          onClose={() => {
            setLeaving(false);
            desktop.stage.focus();
          }}
        />
      )}
    </div>
  );
}

function DesktopOverlay({ desktop, session }: { desktop: Desktop; session: Session }) {
  const { phase } = useSyncExternalStore(desktop.viewer.store.subscribe, desktop.viewer.store.get);
  // Where the picture comes back, the keys go to it again.
  useEffect(() => {
    if (phase.name === 'live') desktop.stage.focus();
  }, [phase.name, desktop]);
  return <Overlay phase={phase} viewer={desktop.viewer} session={session} />;
}

function Notices({ viewer }: { viewer: Viewer }) {
  const { notices } = useSyncExternalStore(viewer.store.subscribe, viewer.store.get);
  return (
    <div className={classes.notices} aria-live="polite">
      {notices.map((notice) => (
        <div key={notice.id} className={classes.notice} data-level={notice.level}>
          <span>{notice.message}</span>
          <CloseButton size="sm" aria-label="Dismiss" onClick={() => viewer.dismiss(notice.id)} />
        </div>
      ))}
    </div>
  );
}
