import { Button, Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconLock } from '@tabler/icons-react';
import { useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { useCan } from '../../../api/me';
import {
  targetQuery,
  useCreateTarget,
  useDeleteTarget,
  useUpdateTarget,
  type Target,
  type TargetSettings,
} from '../../../api/targets';
import { Confirm } from '../../../components/confirm';
import { PageHead } from '../../../components/page';
import { Empty, ProblemNotice } from '../../../components/states';
import { useTitle } from '../../../lib/use-title';
import { Accounts } from './accounts';
import classes from './edit.module.css';
import { emptySettings } from './settings';
import { SettingsForm } from './settings-form';

const back = (
  <Link to="/targets" className={classes.back}>
    All targets
  </Link>
);

function NotAllowed() {
  return (
    <Empty icon={<IconLock size={38} stroke={1.3} />} title="Not for you to change">
      Targets are managed by people who have the permission for it.
    </Empty>
  );
}

/** A form for a target that is not there yet. */
export function NewTargetPage() {
  useTitle('Add a target');
  const can = useCan();
  const navigate = useNavigate();
  const create = useCreateTarget();
  if (!can('manage_targets')) return <NotAllowed />;
  return (
    <div className={classes.page}>
      <PageHead title="Add a target" sub={back} />
      <SettingsForm
        initial={emptySettings}
        action="Add target"
        busy={create.isPending}
        error={create.error}
        onSave={(settings, id) =>
          create.mutate(
            { id, settings },
            // Without an account nobody can connect, so that is the next step.
            { onSuccess: () => void navigate(`/targets/${encodeURIComponent(id)}?new`) },
          )
        }
      />
    </div>
  );
}

/** A target's settings and accounts. */
export function TargetPage() {
  const { target: id = '' } = useParams();
  const { data: target, error, isPending, refetch } = useQuery(targetQuery(id));
  useTitle(target?.name ?? 'Target');
  if (isPending) return <Skeleton height={420} radius="md" />;
  if (error) return <ProblemNotice error={error} onRetry={() => void refetch()} />;
  if (!target.settings) return <NotAllowed />;
  return <Edit key={target.id} target={target} settings={target.settings} onReload={() => void refetch()} />;
}

interface EditProps {
  target: Target;
  settings: TargetSettings;
  onReload: () => void;
}

function Edit({ target, settings, onReload }: EditProps) {
  const update = useUpdateTarget(target.id);
  const configured = target.origin === 'config';
  return (
    <div className={classes.page}>
      <PageHead
        title={target.name}
        sub={
          <>
            {back} · <span className="mono">{target.id}</span>
          </>
        }
      >
        {!configured && <Delete target={target} />}
      </PageHead>
      {configured && (
        <p className={classes.notice} role="note">
          <IconLock size={16} stroke={1.7} aria-hidden="true" />
          This target is in the gateway’s configuration file, and only that changes it.
        </p>
      )}
      {target.origin === 'apply' && (
        <p className={classes.notice} role="note">
          This target came from a file. What you change here, applying the file again changes back.
        </p>
      )}
      <Accounts target={target} readOnly={configured} />
      <h2 className={classes.section}>Settings</h2>
      <SettingsForm
        // Another revision begins the form anew.
        key={target.revision}
        initial={settings}
        id={target.id}
        action="Save"
        readOnly={configured}
        busy={update.isPending}
        error={update.error}
        saved={update.isSuccess}
        onStale={() => {
          update.reset();
          onReload();
        }}
        onSave={(changed) => update.mutate({ revision: target.revision, settings: changed })}
      />
    </div>
  );
}

function Delete({ target }: { target: Target }) {
  const [asking, setAsking] = useState(false);
  const remove = useDeleteTarget();
  const navigate = useNavigate();
  const close = () => {
    remove.reset();
    setAsking(false);
  };
  return (
    <>
      <Button variant="default" color="brick" onClick={() => setAsking(true)}>
        Remove target
      </Button>
      <Confirm
        opened={asking}
        title={`Remove ${target.name}?`}
        action="Remove"
        busy={remove.isPending}
        error={remove.error}
        onClose={close}
        onConfirm={() =>
          remove.mutate(
            { id: target.id, revision: target.revision },
            { onSuccess: () => void navigate('/targets') },
          )
        }
      >
        <p style={{ margin: 0 }}>
          Its accounts and their passwords go with it. Sessions that run go on, and recordings stay.
        </p>
      </Confirm>
    </>
  );
}
