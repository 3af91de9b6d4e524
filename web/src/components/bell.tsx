import { ActionIcon, Button, Popover, ScrollArea, Skeleton, Switch } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { IconBell, IconBellOff } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import {
  notificationSettingsQuery,
  notificationsQuery,
  useReadNotifications,
  useSetNotificationSettings,
  useStanding,
  type Notification,
} from '../api/notifications';
import { count, fullTime, when } from '../lib/format';
import classes from './bell.module.css';
import { ProblemNotice } from './states';

/** What the signed-in person was told, with the number of what they have not seen. */
export function Bell() {
  const [opened, setOpened] = useState(false);
  const { unread, newest } = useStanding();
  const read = useReadNotifications();

  function change(open: boolean) {
    setOpened(open);
    // What the panel has shown is read once it is closed, so that it can show what was new.
    if (!open && unread > 0 && newest) read.mutate(newest);
  }

  return (
    <Popover
      opened={opened}
      onChange={change}
      position="bottom-end"
      width={400}
      shadow="md"
      radius="md"
      trapFocus
    >
      <Popover.Target>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="lg"
          className={classes.bell ?? ''}
          aria-label={unread > 0 ? `Notifications, ${count(unread, 'unread', 'unread')}` : 'Notifications'}
          onClick={() => change(!opened)}
        >
          <IconBell size={18} stroke={1.6} />
          {unread > 0 && (
            <span className={classes.count} aria-hidden="true">
              {unread > 99 ? '99+' : unread}
            </span>
          )}
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown p={0} aria-label="Notifications">
        {opened && <Panel onClose={() => change(false)} />}
      </Popover.Dropdown>
    </Popover>
  );
}

function Panel({ onClose }: { onClose: () => void }) {
  const { data, error, isPending, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } =
    useInfiniteQuery({ ...notificationsQuery, refetchOnMount: 'always' });
  const list = data?.pages.flatMap((page) => page.notifications) ?? [];
  return (
    <>
      <div className={classes.head}>
        <h2 className={classes.title}>Notifications</h2>
        <EmailSwitch />
      </div>
      <ScrollArea.Autosize mah={420} type="auto">
        {error && (
          <div className={classes.pad}>
            <ProblemNotice error={error} onRetry={() => void refetch()} />
          </div>
        )}
        {isPending && (
          <div className={classes.pad}>
            <Skeleton height={48} />
          </div>
        )}
        {data && list.length === 0 && (
          <div className={classes.none}>
            <IconBellOff size={26} stroke={1.3} aria-hidden="true" />
            Nothing yet. Decisions on your requests appear here.
          </div>
        )}
        <ul className={classes.list} aria-label="Notifications">
          {list.map((n) => (
            <Entry key={n.id} notification={n} onFollow={onClose} />
          ))}
        </ul>
        {hasNextPage && (
          <div className={classes.pad}>
            <Button
              fullWidth
              size="xs"
              variant="default"
              loading={isFetchingNextPage}
              onClick={() => void fetchNextPage()}
            >
              Older ones
            </Button>
          </div>
        )}
      </ScrollArea.Autosize>
    </>
  );
}

function Entry({ notification: n, onFollow }: { notification: Notification; onFollow: () => void }) {
  const content = (
    <>
      <span className={classes.line}>
        <span className={classes.what}>{n.title}</span>
        <time className={classes.time} dateTime={n.at} title={fullTime(n.at)}>
          {when(n.at)}
        </time>
      </span>
      {n.text && <span className={classes.text}>{n.text}</span>}
    </>
  );
  return (
    <li
      className={classes.entry}
      data-unread={n.read ? undefined : true}
      data-urgent={n.urgent ? true : undefined}
    >
      {n.link ? (
        <Link to={n.link} className={classes.link} onClick={onFollow}>
          {content}
        </Link>
      ) : (
        <div className={classes.link}>{content}</div>
      )}
    </li>
  );
}

function EmailSwitch() {
  const { data } = useQuery(notificationSettingsQuery);
  const set = useSetNotificationSettings();
  if (!data?.available) return null;
  return (
    <Switch
      size="xs"
      label="By e-mail too"
      checked={set.isPending ? set.variables : data.email}
      onChange={(event) => set.mutate(event.currentTarget.checked)}
    />
  );
}
